// The few pages that are made here: answers to the form of people without JavaScript.
#pragma once

#include <string>
#include <string_view>

namespace tru::api {

std::string escape_html(std::string_view text);

// A complete page; `body` is HTML already. It needs no script and no other file.
std::string html_page(std::string_view title, std::string_view body);

// Content-Security-Policy of such pages.
inline constexpr std::string_view kPagePolicy =
    "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

// Whether a browser asks, and not a program: */* alone does not count.
bool accepts_html(std::string_view accept);

}  // namespace tru::api
