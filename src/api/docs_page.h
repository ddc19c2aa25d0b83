// The page at /docs: the API to read and to try, made in the browser from openapi.json.
#pragma once

#include <string_view>

namespace tru::api {

extern const std::string_view kDocsHtml, kDocsScript, kDocsStyle;

}  // namespace tru::api
