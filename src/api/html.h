// The few pages that are made here: answers to the form of people without JavaScript.
#pragma once

#include <string>
#include <string_view>

#include "http/response.h"

namespace tru::api {

std::string escape_html(std::string_view text);

// The same with <br> for each line's end.
std::string escape_lines(std::string_view text);

// A complete page; `body` is HTML already. It needs no script, and the style of /docs.
http::Response html_answer(int status, std::string_view title, std::string_view body);

// Whether a browser asks, and not a program: */* alone does not count.
bool accepts_html(std::string_view accept);

}  // namespace tru::api
