#include "base/json_text.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>

namespace tru {
namespace {

namespace json = boost::json;

// Always with a point or an exponent: a reader that tells integers from floats sees a float.
std::string number_text(double number) {
  if (!std::isfinite(number)) return "null";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// `each` writes one member; commas go between.
template <typename Container, typename Each>
void write_list(std::string& out, char open, const Container& list, char close, Each each) {
  out += open;
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ',';
    first = false;
    each(item);
  }
  out += close;
}

void write(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::double_:
      out += number_text(value.get_double());
      return;
    case json::kind::array:
      write_list(out, '[', value.get_array(), ']',
                 [&](const json::value& item) { write(out, item); });
      return;
    case json::kind::object:
      write_list(out, '{', value.get_object(), '}', [&](const json::key_value_pair& member) {
        out += json::serialize(member.key());
        out += ':';
        write(out, member.value());
      });
      return;
    default:
      out += json::serialize(value);
  }
}

}  // namespace

std::string to_json_text(const json::value& value) {
  std::string out;
  write(out, value);
  return out;
}

}  // namespace tru
