#include "base/gguf_choice.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace tru {
namespace {

constexpr std::string_view kExtension = ".gguf";
constexpr std::size_t kDigits = 5;  // of a part's number

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

std::string upper(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return copy;
}

// Whether a word of `name` begins with `start`, in any case, and goes on as `follows` says.
bool has_word(std::string_view name, std::string_view start, bool (*follows)(char)) {
  const std::string text = upper(name), wanted = upper(start);
  for (auto at = text.find(wanted); at != text.npos; at = text.find(wanted, at + 1)) {
    const std::size_t end = at + wanted.size();
    const bool begins = at == 0 || !is_word(text[at - 1]);
    if (begins && end < text.size() && follows(text[end])) return true;
  }
  return false;
}

// llama.cpp takes what ends like this; that it begins there too keeps F16 from meaning BF16.
bool has_tag(std::string_view name, std::string_view tag) {
  return has_word(name, tag, [](char c) { return c == '.' || c == '-'; });
}

bool contains(std::string_view name, std::string_view word) {
  return name.find(word) != name.npos;
}

// Vision files, calibration data and small models that guess ahead are no text models.
bool is_text_model(std::string_view name) {
  for (const char* other : {"mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-"}) {
    if (contains(name, other)) return false;
  }
  const auto part = gguf_part(name);
  return is_gguf_name(name) && (!part || part->number == 1);
}

// Formats of which ours reads none tell so in the name.
bool is_unread(std::string_view name) {
  const auto marked = [&](const char* mark) { return has_word(name, mark, is_digit); };
  return marked("IQ") || marked("TQ") || marked("MXFP") || marked("NVFP");
}

std::string find_tagged(const std::vector<std::string>& names, std::string_view tag) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const std::string& name) { return has_tag(name, tag); });
  return found == names.end() ? std::string() : *found;
}

std::string choose_text(const std::vector<std::string>& models, std::string_view tag) {
  if (!tag.empty()) return find_tagged(models, tag);
  for (const char* usual : {"Q4_K_M", "Q8_0"}) {
    if (std::string name = find_tagged(models, usual); !name.empty()) return name;
  }
  const auto readable = std::find_if_not(models.begin(), models.end(), is_unread);
  return readable == models.end() ? std::string() : *readable;
}

}  // namespace

TaggedName split_tag(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == text.npos) return {std::string(text), {}};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

bool is_gguf_name(std::string_view name) {
  return name.ends_with(kExtension);
}

std::optional<GgufPart> gguf_part(std::string_view name) {
  constexpr std::string_view kShape = "-00000-of-00000";
  if (!is_gguf_name(name)) return std::nullopt;
  name.remove_suffix(kExtension.size());
  if (name.size() <= kShape.size()) return std::nullopt;
  const std::string_view end = name.substr(name.size() - kShape.size());
  for (std::size_t i = 0; i < end.size(); ++i) {
    if (kShape[i] == '0' ? !is_digit(end[i]) : end[i] != kShape[i]) return std::nullopt;
  }
  GgufPart part{std::string(name.substr(0, name.size() - kShape.size())),
                std::stoi(std::string(end.substr(1, kDigits))),
                std::stoi(std::string(end.substr(end.size() - kDigits)))};
  if (part.number < 1 || part.number > part.count) return std::nullopt;
  return part;
}

std::string gguf_part_name(const GgufPart& part, int number) {
  return fmt::format("{}-{:05}-of-{:05}{}", part.base, number, part.count, kExtension);
}

std::string choose_mmproj(std::vector<std::string> names) {
  std::erase_if(names, [](const std::string& name) {
    return !is_gguf_name(name) || !contains(name, "mmproj");
  });
  std::sort(names.begin(), names.end());
  for (const char* best : {"F16", "BF16", "F32", "Q8_0"}) {
    if (std::string name = find_tagged(names, best); !name.empty()) return name;
  }
  return names.empty() ? std::string() : names.front();
}

Result<GgufChoice> choose_gguf(std::vector<std::string> names, std::string_view tag) {
  std::sort(names.begin(), names.end());
  std::vector<std::string> models;
  std::copy_if(names.begin(), names.end(), std::back_inserter(models), is_text_model);
  if (models.empty()) return fail(ErrorCode::model_invalid, "there are no GGUF models");
  const std::string chosen = choose_text(models, tag);
  if (chosen.empty()) {
    return fail(
        ErrorCode::model_invalid, "none of its GGUF models {}; there are: {}",
        tag.empty() ? std::string("has a number format that is read") : fmt::format("is {}", tag),
        fmt::join(models, ", "));
  }
  if (is_unread(chosen)) {
    return fail(ErrorCode::model_invalid, "{}: its number format is not read; there are: {}",
                chosen, fmt::join(models, ", "));
  }
  GgufChoice choice;
  choice.text = {chosen};
  if (const auto part = gguf_part(chosen)) {
    for (int number = 2; number <= part->count; ++number) {
      choice.text.push_back(gguf_part_name(*part, number));
      if (std::binary_search(names.begin(), names.end(), choice.text.back())) continue;
      return fail(ErrorCode::model_invalid, "{} is missing", choice.text.back());
    }
  }
  choice.mmproj = choose_mmproj(names);
  std::erase(models, chosen);
  choice.rest = std::move(models);
  return choice;
}

}  // namespace tru
