// From a request that asks something to its answer: through the queue, as one body or as a stream.
#pragma once

#include <memory>
#include <string>

#include "api/service.h"
#include "http/event_stream.h"

namespace tru::api {

// How answers look: the old platform's way or OpenAI's. Made for one request, then constant.
class AnswerForm {
 public:
  virtual ~AnswerForm() = default;

  virtual http::Response body(const pipeline::Answer& answer) const = 0;

  // An event as bytes of the stream; appends nothing for those that the form does not show.
  virtual void append(const jobs::NumberedEvent& event, std::string& wire) const = 0;

  // Whether a request that fails early shall be answered with the status of its error, although it
  // asked for a stream.
  virtual bool waits_for_text() const = 0;
};

// queued and progress, which look the same in every form; nothing for other events.
void append_progress(const jobs::NumberedEvent& event, const std::string& request_id,
                     std::string& wire);

// A request, read and checked.
struct Asked {
  pipeline::Question question;
  std::shared_ptr<const void> upload;  // what must live until the question is answered
  bool stream = false;
  bool resumable = false;
  std::string fingerprint{};  // if it has an Idempotency-Key: see repeating.h
  std::shared_ptr<AnswerForm> form;
};

// Where the media of a question may be: http, https and data: as they are, tru://videos/{id} of
// this owner's as its file. Blocks on the disk. url_scheme_not_allowed, not_found.
http::Expected<void> locate_media(const Service& service, const std::string& owner,
                                  std::vector<pipeline::MediaRef>& media);

// Queues the question, unless the request repeats one that was asked already, and answers the
// request. A client that leaves stops it, but for resumable questions and those with a key.
http::Task<http::Response> answer(Service& service, http::Exchange& exchange, Asked asked);

// Streams the events after number `after` of a job that is there already.
http::Task<http::Response> stream_events(Service& service, http::Exchange& exchange,
                                         std::shared_ptr<jobs::Job> job, std::uint64_t after);

}  // namespace tru::api
