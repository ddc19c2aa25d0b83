#include "weights/gguf_file.h"

#include <boost/json.hpp>
#include <cstring>

#include "weights/json_fields.h"

namespace tru::weights {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxAlignment = 1 << 16;
constexpr std::uint64_t kMaxTensors = 1 << 16;
constexpr std::uint64_t kMaxJsonElements = 4096;

// Bytes of a value of this type; 0 for those of no fixed size.
std::size_t value_bytes(GgufValue::Type type) {
  switch (type) {
    case GgufValue::u8:
    case GgufValue::i8:
    case GgufValue::boolean:
      return 1;
    case GgufValue::u16:
    case GgufValue::i16:
      return 2;
    case GgufValue::u32:
    case GgufValue::i32:
    case GgufValue::f32:
      return 4;
    case GgufValue::u64:
    case GgufValue::i64:
    case GgufValue::f64:
      return 8;
    case GgufValue::string:
    case GgufValue::array:
      break;
  }
  return 0;
}

template <typename T>
T read_as(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One element that is no array.
json::value to_json(GgufValue::Type type, std::span<const std::byte> bytes) {
  switch (type) {
    case GgufValue::u8:
      return read_as<std::uint8_t>(bytes.data());
    case GgufValue::i8:
      return read_as<std::int8_t>(bytes.data());
    case GgufValue::u16:
      return read_as<std::uint16_t>(bytes.data());
    case GgufValue::i16:
      return read_as<std::int16_t>(bytes.data());
    case GgufValue::u32:
      return read_as<std::uint32_t>(bytes.data());
    case GgufValue::i32:
      return read_as<std::int32_t>(bytes.data());
    case GgufValue::f32:
      return static_cast<double>(read_as<float>(bytes.data()));
    case GgufValue::boolean:
      return read_as<std::uint8_t>(bytes.data()) != 0;
    case GgufValue::string:
      return json::string(as_text(bytes.subspan(sizeof(std::uint64_t))));
    case GgufValue::u64:
      return read_as<std::uint64_t>(bytes.data());
    case GgufValue::i64:
      return read_as<std::int64_t>(bytes.data());
    case GgufValue::f64:
      return read_as<double>(bytes.data());
    case GgufValue::array:
      break;
  }
  return nullptr;
}

// The elements of a checked value, one after the other.
template <typename Use>
void for_each_element(const GgufValue& value, const Use& use) {
  std::span<const std::byte> rest = value.bytes;
  for (std::uint64_t i = 0; i < value.count; ++i) {
    std::size_t size = value_bytes(value.type);
    if (value.type == GgufValue::string) {
      size = sizeof(std::uint64_t) + read_as<std::uint64_t>(rest.data());
    }
    use(rest.first(size));
    rest = rest.subspan(size);
  }
}

}  // namespace

// Reads on, never beyond the end.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> contents, std::string_view file) : contents_(contents) {
    header_.file_ = file;
  }

  Result<GgufHeader> run() {
    TRU_TRY(const Counts counts, read_counts());
    for (std::uint64_t i = 0; i < counts.values; ++i) TRU_CHECK(read_value());
    TRU_CHECK(read_alignment());
    std::vector<Location> locations;
    for (std::uint64_t i = 0; i < counts.tensors; ++i) {
      TRU_TRY(const Location location, read_tensor());
      locations.push_back(location);
    }
    TRU_CHECK(place(locations));
    return std::move(header_);
  }

 private:
  struct Counts {
    std::uint64_t tensors, values;
  };
  struct Location {
    std::string_view name;
    std::uint64_t offset;  // in the data
  };

  template <typename... Args>
  auto bad(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorCode::model_invalid, "{}: {}", header_.file_,
                fmt::format(format, std::forward<Args>(args)...));
  }

  std::uint64_t left() const { return contents_.size() - at_; }

  Result<std::span<const std::byte>> take(std::uint64_t size, std::string_view what) {
    if (size > left()) {
      return bad("{} needs {} bytes at {}, but the file has {}: truncated or damaged", what, size,
                 at_, contents_.size());
    }
    const auto bytes = contents_.subspan(at_, size);
    at_ += size;
    return bytes;
  }

  template <typename T>
  Result<T> number(std::string_view what) {
    TRU_TRY(const auto bytes, take(sizeof(T), what));
    return read_as<T>(bytes.data());
  }

  Result<std::string_view> string(std::string_view what) {
    TRU_TRY(const auto size, number<std::uint64_t>(what));
    TRU_TRY(const auto bytes, take(size, what));
    return as_text(bytes);
  }

  Result<Counts> read_counts() {
    constexpr std::string_view kMagic = "GGUF", kLfs = "version https://git-lfs";
    if (as_text(contents_).starts_with(kLfs)) {
      return bad("is a git-lfs pointer, not the weights; run: git lfs pull");
    }
    if (!as_text(contents_).starts_with(kMagic)) return bad("is no GGUF file");
    at_ = kMagic.size();
    TRU_TRY(const auto version, number<std::uint32_t>("the version"));
    if (version > 0xFFFF && (version & 0xFFFF) == 0) return bad("is big-endian; convert it again");
    if (version != 2 && version != 3) {
      return bad("is GGUF version {}; versions 2 and 3 are read", version);
    }
    TRU_TRY(const auto tensors, number<std::uint64_t>("the number of tensors"));
    TRU_TRY(const auto values, number<std::uint64_t>("the number of metadata"));
    if (tensors > kMaxTensors) return bad("{} tensors; allowed: 0 to {}", tensors, kMaxTensors);
    return Counts{tensors, values};
  }

  Status read_value() {
    TRU_TRY(const std::string_view key, string("a metadata key"));
    if (key.empty() || key.size() > 0xFFFF) return bad("a metadata key has {} bytes", key.size());
    GgufValue value;
    TRU_TRY(auto type, number<std::uint32_t>("a metadata type"));
    if (type == GgufValue::array) {
      value.is_array = true;
      TRU_TRY(type, number<std::uint32_t>("a metadata type"));
      TRU_TRY(value.count, number<std::uint64_t>("a metadata count"));
    }
    if (type > GgufValue::f64 || type == GgufValue::array) {
      return bad("{} has the type {}, which is not supported", in_quotes(key), type);
    }
    value.type = static_cast<GgufValue::Type>(type);
    const std::uint64_t begin = at_;
    const std::string what = in_quotes(key);
    if (value.type == GgufValue::string) {
      for (std::uint64_t i = 0; i < value.count; ++i) TRU_CHECK(string(what));
    } else {
      std::uint64_t size = 0;
      if (__builtin_mul_overflow(value.count, value_bytes(value.type), &size)) size = UINT64_MAX;
      TRU_CHECK(take(size, what));
    }
    value.bytes = contents_.subspan(begin, at_ - begin);
    if (!header_.values_.emplace(key, value).second)
      return bad("{} is twice there", in_quotes(key));
    return {};
  }

  Status read_alignment() {
    const json::value value = header_.json("general.alignment");
    if (value.is_null()) return {};
    const std::int64_t* number = value.if_int64();
    const std::uint64_t* large = value.if_uint64();
    alignment_ = number != nullptr && *number > 0 ? static_cast<std::uint64_t>(*number)
                 : large != nullptr               ? *large
                                                  : 0;
    if (alignment_ < 8 || alignment_ > kMaxAlignment || (alignment_ & (alignment_ - 1)) != 0) {
      return bad("general.alignment is {}; allowed: powers of 2 from 8 to {}", describe(value),
                 kMaxAlignment);
    }
    return {};
  }

  Result<Location> read_tensor() {
    TRU_TRY(const std::string_view name, string("a tensor's name"));
    TRU_TRY(const auto rank, number<std::uint32_t>("a tensor's rank"));
    if (rank < 1 || rank > GGML_MAX_DIMS) {
      return bad("tensor {} has {} dimensions; allowed: 1 to 4", in_quotes(name), rank);
    }
    GgufHeader::Entry entry;
    entry.shape.resize(rank);
    std::int64_t elements = 1;
    for (std::uint32_t i = 0; i < rank; ++i) {  // the first runs fastest
      TRU_TRY(const auto extent, number<std::int64_t>("a tensor's shape"));
      entry.shape[rank - 1 - i] = extent;
      if (extent < 1 || __builtin_mul_overflow(elements, extent, &elements)) {
        return bad("tensor {} has an impossible shape", in_quotes(name));
      }
    }
    TRU_TRY(entry.type, number<std::uint32_t>("a tensor's type"));
    TRU_TRY(const auto offset, number<std::uint64_t>("a tensor's offset"));
    if (!header_.tensors_.emplace(name, std::move(entry)).second) {
      return bad("tensor {} is twice there", in_quotes(name));
    }
    return Location{name, offset};
  }

  // Where the data lie, now that it is known where they begin.
  Status place(std::span<const Location> locations) {
    const std::uint64_t begin = (at_ + alignment_ - 1) / alignment_ * alignment_;
    const std::uint64_t size = begin > contents_.size() ? 0 : contents_.size() - begin;
    std::map<std::uint64_t, std::uint64_t> ends;  // by where a tensor begins
    for (const auto& [name, offset] : locations) {
      GgufHeader::Entry& entry = header_.tensors_.find(name)->second;
      if (offset % alignment_ != 0 || offset > size) {
        return bad("tensor {} begins at {} of {} bytes of data, or not aligned: damaged",
                   in_quotes(name), offset, size);
      }
      const std::optional<Dtype> dtype = from_ggml(entry.type);
      if (!dtype) continue;
      std::uint64_t elements = 1;
      for (const std::int64_t extent : entry.shape) elements *= static_cast<std::uint64_t>(extent);
      const auto block = static_cast<std::uint64_t>(block_elements(*dtype));
      if (static_cast<std::uint64_t>(entry.shape.back()) % block != 0) {
        return bad("tensor {} is {} with rows of {}, which are no whole blocks of {}",
                   in_quotes(name), to_string(*dtype), entry.shape.back(), block);
      }
      const std::uint64_t block_bytes = size_bytes(*dtype, block_elements(*dtype));
      // Divided, so that a product beyond 64 bits is found too.
      if (elements / block > (size - offset) / block_bytes) {
        return bad("tensor {} ends beyond the file: it is truncated or damaged", in_quotes(name));
      }
      const std::uint64_t bytes = elements / block * block_bytes;
      entry.data = contents_.subspan(begin + offset, bytes);
      if (!ends.emplace(offset, offset + bytes).second) {
        return bad("tensor {}: its data overlap another's", in_quotes(name));
      }
    }
    std::uint64_t end = 0;
    for (const auto& [from, to] : ends) {
      if (from < end) return bad("the data of tensors overlap at {}", begin + from);
      end = to;
    }
    return {};
  }

  std::span<const std::byte> contents_;
  std::uint64_t at_ = 0;
  std::uint64_t alignment_ = 32;
  GgufHeader header_;
};

Result<GgufHeader> GgufHeader::parse(std::span<const std::byte> contents, std::string_view file) {
  return GgufParser(contents, file).run();
}

json::value GgufHeader::json(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end() || found->second.count > kMaxJsonElements) return nullptr;
  const GgufValue& value = found->second;
  if (!value.is_array) return to_json(value.type, value.bytes);
  json::array list;
  for_each_element(value, [&](std::span<const std::byte> element) {
    list.push_back(to_json(value.type, element));
  });
  return list;
}

std::string_view GgufHeader::text(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end() || found->second.is_array || found->second.type != GgufValue::string) {
    return {};
  }
  return as_text(found->second.bytes.subspan(sizeof(std::uint64_t)));
}

Result<std::vector<std::string_view>> GgufHeader::texts(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end() || !found->second.is_array ||
      found->second.type != GgufValue::string) {
    return fail(ErrorCode::model_invalid, "{}: {} must be a list of texts", file_, key);
  }
  std::vector<std::string_view> list;
  list.reserve(found->second.count);
  for_each_element(found->second, [&](std::span<const std::byte> element) {
    list.push_back(as_text(element.subspan(sizeof(std::uint64_t))));
  });
  return list;
}

Result<std::vector<std::int32_t>> GgufHeader::integers(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end() || !found->second.is_array ||
      (found->second.type != GgufValue::i32 && found->second.type != GgufValue::u32)) {
    return fail(ErrorCode::model_invalid, "{}: {} must be a list of integers", file_, key);
  }
  std::vector<std::int32_t> list(found->second.count);
  if (!list.empty()) std::memcpy(list.data(), found->second.bytes.data(), 4 * list.size());
  return list;
}

Result<TensorView> GgufHeader::tensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return fail(ErrorCode::model_invalid, "{}: tensor {} is missing", file_, in_quotes(name));
  }
  const Entry& entry = found->second;
  const std::optional<Dtype> dtype = from_ggml(entry.type);
  if (!dtype) {
    const auto type = static_cast<ggml_type>(entry.type);
    const char* known = entry.type < GGML_TYPE_COUNT ? ggml_type_name(type) : nullptr;
    return fail(ErrorCode::model_invalid,
                "{}: tensor {} has the type {}, which is not supported; allowed: F32, F16, BF16, "
                "Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K",
                file_, in_quotes(name), known != nullptr ? known : std::to_string(entry.type));
  }
  return TensorView{.name = std::string(name),
                    .dtype = *dtype,
                    .shape = entry.shape,
                    .data = entry.data,
                    .file = entry.file};
}

Status GgufHeader::add_part(GgufHeader part, std::size_t file) {
  for (auto& [name, entry] : part.tensors_) {
    entry.file = file;
    if (!tensors_.emplace(name, std::move(entry)).second) {
      return fail(ErrorCode::model_invalid, "{}: tensor {} is in another part too", part.file_,
                  in_quotes(name));
    }
  }
  return {};
}

}  // namespace tru::weights
