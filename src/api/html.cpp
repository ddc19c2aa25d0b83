#include "api/html.h"

namespace tru::api {

std::string escape_html(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string html_page(std::string_view title, std::string_view body) {
  std::string page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>";
  page += escape_html(title);
  page += "</title><meta name=\"viewport\" content=\"width=device-width\"><main><h1>";
  page += escape_html(title);
  page += "</h1>";
  page += body;
  page += "</main></html>\n";
  return page;
}

bool accepts_html(std::string_view accept) {
  return accept.find("text/html") != std::string_view::npos;
}

}  // namespace tru::api
