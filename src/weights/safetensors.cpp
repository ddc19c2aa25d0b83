#include "weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <tuple>

#include "weights/json_fields.h"

static_assert(std::endian::native == std::endian::little, "safetensors data are little-endian");

namespace tru::weights {
namespace {

namespace json = boost::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // limit of the reference implementation
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kMaxShards = 4096;
constexpr std::uintmax_t kMaxIndexBytes = 64 << 20;

struct DtypeName {
  std::string_view name;
  unsigned bits;
};
// Every type of the format; the models use the first three.
constexpr DtypeName kDtypes[] = {
    {"F32", 32},        {"F16", 16},        {"BF16", 16}, {"F64", 64},    {"I64", 64},
    {"U64", 64},        {"I32", 32},        {"U32", 32},  {"I16", 16},    {"U16", 16},
    {"I8", 8},          {"U8", 8},          {"BOOL", 8},  {"C64", 64},    {"F8_E4M3", 8},
    {"F8_E5M2", 8},     {"F8_E8M0", 8},     {"F4", 4},    {"F6_E2M3", 6}, {"F6_E3M2", 6},
    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
};

std::optional<Dtype> dtype_from(std::string_view name) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    if (to_string(dtype) == name) return dtype;
  }
  return std::nullopt;
}

// The size of the header's tensor, or none if it does not fit 62 bits or is no whole byte.
std::optional<std::uint64_t> size_in_bytes(std::span<const std::int64_t> shape, unsigned bits) {
  std::uint64_t total = bits;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(total, static_cast<std::uint64_t>(extent), &total)) {
      return std::nullopt;
    }
  }
  if (total % 8 != 0) return std::nullopt;
  return total / 8;
}

// Non-negative integers of a JSON array.
std::optional<std::vector<std::int64_t>> extents(const json::value* value, std::size_t max_size) {
  const json::array* array = value == nullptr ? nullptr : value->if_array();
  if (array == nullptr || array->size() > max_size) return std::nullopt;
  std::vector<std::int64_t> result;
  for (const json::value& element : *array) {
    const std::int64_t* number = element.if_int64();
    if (number == nullptr || *number < 0) return std::nullopt;
    result.push_back(*number);
  }
  return result;
}

Result<TensorEntry> parse_entry(std::string_view name, const json::value& value,
                                std::size_t data_start, std::size_t data_size,
                                std::string_view file) {
  const auto bad = [&](std::string_view what) {
    return fail(ErrorCode::model_invalid, "{}: tensor {}: {}", file, in_quotes(name), what);
  };
  const json::object* object = value.if_object();
  if (object == nullptr) return bad("its header entry is not an object");
  const json::value* dtype = object->if_contains("dtype");
  const DtypeName* known = std::end(kDtypes);
  if (dtype != nullptr && dtype->is_string()) {
    known = std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](const DtypeName& candidate) {
      return dtype->get_string() == json::string_view(candidate.name.data(), candidate.name.size());
    });
  }
  if (known == std::end(kDtypes)) {
    return bad(fmt::format("dtype is {}, which the format does not have",
                           dtype == nullptr ? "missing" : describe(*dtype)));
  }
  const auto shape = extents(object->if_contains("shape"), kMaxRank);
  if (!shape) return bad("shape must be a list of at most 16 sizes");
  const auto offsets = extents(object->if_contains("data_offsets"), 2);
  if (!offsets || offsets->size() != 2) return bad("data_offsets must be two positions");
  const auto begin = static_cast<std::uint64_t>((*offsets)[0]);
  const auto end = static_cast<std::uint64_t>((*offsets)[1]);
  if (begin > end) return bad(fmt::format("data_offsets [{}, {}] run backwards", begin, end));
  if (end > data_size) {
    return bad(
        fmt::format("data_offsets end at {} but the file holds {} bytes of data: it is "
                    "truncated or damaged",
                    end, data_size));
  }
  if (size_in_bytes(*shape, known->bits) != end - begin) {
    return bad(fmt::format("data_offsets give {} bytes, which is not the size of {} [{}]",
                           end - begin, known->name, fmt::join(*shape, ", ")));
  }
  return TensorEntry{.name = std::string(name),
                     .dtype = std::string(known->name),
                     .shape = *shape,
                     .offset = data_start + begin,
                     .size = end - begin};
}

// Sorts by offset and checks that the tensors fill [data_start, file_size).
Status check_layout(std::vector<TensorEntry>& entries, std::size_t data_start,
                    std::size_t file_size, std::string_view file) {
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.offset, a.size, a.name) < std::tie(b.offset, b.size, b.name);
  });
  std::size_t end = data_start;
  for (const TensorEntry& entry : entries) {
    if (entry.offset != end) {
      return fail(ErrorCode::model_invalid, "{}: tensor {}: its data {} the tensor before", file,
                  in_quotes(entry.name), entry.offset < end ? "overlap" : "leave a gap after");
    }
    end += entry.size;
  }
  if (end != file_size) {
    return fail(ErrorCode::model_invalid, "{}: {} bytes after the last tensor belong to none", file,
                file_size - end);
  }
  return {};
}

bool is_git_lfs_pointer(std::span<const std::byte> contents) {
  constexpr std::string_view kStart = "version https://git-lfs";
  return contents.size() >= kStart.size() &&
         std::memcmp(contents.data(), kStart.data(), kStart.size()) == 0;
}

// A shard is a file in the same folder.
bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace

std::int64_t TensorView::num_elements() const {
  const auto blocks = data.size() / size_bytes(dtype, block_elements(dtype));
  return static_cast<std::int64_t>(blocks) * block_elements(dtype);
}

bool TensorView::is_aligned() const {
  return reinterpret_cast<std::uintptr_t>(data.data()) % alignment_bytes(dtype) == 0;
}

Result<std::vector<TensorEntry>> parse_safetensors_header(std::span<const std::byte> contents,
                                                          std::string_view file) {
  if (is_git_lfs_pointer(contents)) {
    return fail(ErrorCode::model_invalid,
                "{}: is a git-lfs pointer, not the weights; run: git lfs pull", file);
  }
  if (contents.size() < kLengthBytes) {
    return fail(ErrorCode::model_invalid, "{}: {} bytes are no safetensors file", file,
                contents.size());
  }
  std::uint64_t length = 0;
  std::memcpy(&length, contents.data(), kLengthBytes);
  if (length > std::min<std::uint64_t>(kMaxHeaderBytes, contents.size() - kLengthBytes)) {
    return fail(ErrorCode::model_invalid,
                "{}: a header of {} bytes does not fit its {} bytes: truncated, or no safetensors "
                "file",
                file, length, contents.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(contents.data()) + kLengthBytes,
                              length);
  TRU_TRY(const json::object header, parse_json_object(text, file));
  const std::size_t data_start = kLengthBytes + length;
  std::vector<TensorEntry> entries;
  entries.reserve(header.size());
  for (const auto& [key, value] : header) {
    if (key == "__metadata__") continue;
    TRU_TRY(TensorEntry entry, parse_entry({key.data(), key.size()}, value, data_start,
                                           contents.size() - data_start, file));
    entries.push_back(std::move(entry));
  }
  TRU_CHECK(check_layout(entries, data_start, contents.size(), file));
  return entries;
}

Status Safetensors::add_file(const std::filesystem::path& path) {
  TRU_TRY(MappedFile file, MappedFile::open(path));
  TRU_TRY(std::vector<TensorEntry> entries, parse_safetensors_header(file.bytes(), path.string()));
  for (TensorEntry& entry : entries) {
    const auto [at, is_new] = tensors_.try_emplace(entry.name);
    if (!is_new) {
      return fail(ErrorCode::model_invalid, "{}: tensor {} is also in {}", path.string(),
                  in_quotes(entry.name), files_[at->second.file].path().filename().string());
    }
    at->second = Location{std::move(entry), files_.size()};
  }
  files_.push_back(std::move(file));
  return {};
}

Result<Safetensors> Safetensors::open(const std::filesystem::path& dir) {
  Safetensors model;
  std::error_code ec;
  if (std::filesystem::exists(dir / "model.safetensors", ec)) {
    TRU_CHECK(model.add_file(dir / "model.safetensors"));
    return model;
  }
  const std::filesystem::path index_path = dir / "model.safetensors.index.json";
  TRU_TRY(const std::string text, read_text_file(index_path, kMaxIndexBytes));
  TRU_TRY(const json::object index, parse_json_object(text, index_path.string()));
  const json::value* map = index.if_contains("weight_map");
  if (map == nullptr || !map->is_object()) {
    return fail(ErrorCode::model_invalid, "{}: weight_map is missing", index_path.string());
  }
  std::set<std::string> shards;
  for (const auto& [name, shard] : map->get_object()) {
    const json::string* file = shard.if_string();
    if (file == nullptr || !is_plain_file_name({file->data(), file->size()})) {
      return fail(ErrorCode::model_invalid, "{}: {} is not the name of a file in this folder",
                  index_path.string(), describe(shard));
    }
    shards.insert(std::string(file->data(), file->size()));
  }
  if (shards.empty() || shards.size() > kMaxShards) {
    return fail(ErrorCode::model_invalid, "{}: {} shards; allowed: 1 to {}", index_path.string(),
                shards.size(), kMaxShards);
  }
  for (const std::string& shard : shards) {
    if (!std::filesystem::exists(dir / shard, ec)) {
      return fail(ErrorCode::model_invalid, "{}: the shard {} is missing", dir.string(), shard);
    }
    TRU_CHECK(model.add_file(dir / shard));
  }
  for (const auto& [name, shard] : map->get_object()) {
    const auto at = model.tensors_.find(std::string_view(name.data(), name.size()));
    if (at == model.tensors_.end() ||
        model.files_[at->second.file].path().filename().string() != shard.get_string().c_str()) {
      return fail(ErrorCode::model_invalid, "{}: tensor {} is not in {}", index_path.string(),
                  in_quotes({name.data(), name.size()}), describe(shard));
    }
  }
  return model;
}

Result<TensorView> Safetensors::tensor(std::string_view name) const {
  const auto at = tensors_.find(name);
  if (at == tensors_.end()) return fail(ErrorCode::model_invalid, "tensor {} is missing", name);
  const auto& [entry, file] = at->second;
  const std::optional<Dtype> dtype = dtype_from(entry.dtype);
  if (!dtype) {
    return fail(ErrorCode::model_invalid, "{}: tensor {} is {}; allowed: F32, F16, BF16",
                files_[file].path().string(), name, entry.dtype);
  }
  return TensorView{.name = entry.name,
                    .dtype = *dtype,
                    .shape = entry.shape,
                    .data = files_[file].bytes().subspan(entry.offset, entry.size),
                    .file = file};
}

std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, location] : tensors_) names.push_back(name);
  return names;
}

}  // namespace tru::weights
