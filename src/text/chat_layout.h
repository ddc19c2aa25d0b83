// What a chat template writes, before media are expanded and text becomes ids.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "text/chat.h"

namespace tru::text {

// Text, or the place of an image or video.
using LayoutItem = std::variant<Piece, ContentPart>;

// The messages in the template's form, and the opening of the answer. Errors as in
// ChatTemplate::render, but for media, which are not looked at.
Result<std::vector<LayoutItem>> layout_messages(ChatVariant variant,
                                                std::span<const Message> messages);

// Which of the two templates this Jinja text is. model_invalid if it is neither.
Result<ChatVariant> recognise_template(std::string_view jinja);

}  // namespace tru::text
