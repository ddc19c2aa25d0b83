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

std::string escape_lines(std::string_view text) {
  std::string safe = escape_html(text);
  for (auto at = safe.find('\n'); at != std::string::npos; at = safe.find('\n', at + 4))
    safe.replace(at, 1, "<br>");
  return safe;
}

http::Response html_answer(int status, std::string_view title, std::string_view body) {
  std::string page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>";
  page += escape_html(title);
  page +=
      "</title><meta name=\"viewport\" content=\"width=device-width\">"
      "<link rel=\"stylesheet\" href=\"/docs/docs.css\"><main><h1>";
  page += escape_html(title);
  page += "</h1>";
  page += body;
  page += "</main></html>\n";
  http::Response response(status, "text/html; charset=utf-8", std::move(page));
  response.headers.set("Content-Security-Policy",
                       "default-src 'none'; style-src 'self'; form-action 'self'; "
                       "base-uri 'none'; frame-ancestors 'none'");
  return response;
}

bool accepts_html(std::string_view accept) {
  return accept.find("text/html") != std::string_view::npos;
}

}  // namespace tru::api
