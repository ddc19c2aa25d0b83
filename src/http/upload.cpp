#include "http/upload.h"

#include <boost/asio/post.hpp>
#include <system_error>
#include <utility>
#include <vector>

namespace tru::http {
namespace {

constexpr std::size_t kPiece = 256 << 10;  // read and written at once

Problem storage_problem(const Error& error) {
  if (error.code == ErrorCode::storage_full) return refusal::storage_full;
  return refusal::storage_error;
}

// Appends to a private file on worker threads, within the limit.
class FileSink {
 public:
  FileSink(Exchange& exchange, SaveOptions options)
      : workers_(exchange.workers()), options_(std::move(options)) {}
  ~FileSink() { discard(workers_, std::move(file_)); }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  Task<Expected<void>> open(std::uint64_t expected_bytes) {
    const auto create = [this, expected_bytes]() -> Result<PrivateFile> {
      std::error_code error;
      const auto space = std::filesystem::space(options_.folder, error);
      if (!error && space.available < expected_bytes + options_.keep_free_bytes) {
        return fail(ErrorCode::storage_full, "there is not enough room left on the disk");
      }
      return PrivateFile::create(options_.folder, options_.suffix);
    };
    auto created = co_await result_on(workers_, create);
    if (!created) co_return refuse(storage_problem(created.error()));
    file_ = std::move(*created);
    co_return Expected<void>();
  }

  Task<Expected<void>> write(std::string_view bytes) {
    if (file_.size_bytes() + bytes.size() > options_.limit_bytes) {
      co_return refuse(refusal::upload_too_large);
    }
    const auto append = [this, bytes] {
      if (options_.on_bytes) options_.on_bytes(bytes);
      return file_.append(bytes);
    };
    const auto written = co_await result_on(workers_, append);
    if (!written) co_return refuse(storage_problem(written.error()));
    co_return Expected<void>();
  }

  PrivateFile take() {
    file_.close();
    return std::move(file_);
  }

 private:
  Workers& workers_;
  const SaveOptions options_;
  PrivateFile file_;
};

}  // namespace

void discard(Workers& workers, PrivateFile file) {
  if (!file.path().empty()) asio::post(workers, [file = std::move(file)] {});
}

Task<Expected<PrivateFile>> save_body(Exchange& exchange, SaveOptions options) {
  const auto announced = exchange.content_length().value_or(0);
  if (announced > options.limit_bytes) co_return refuse(refusal::upload_too_large);
  FileSink sink(exchange, std::move(options));
  TRU_HTTP_CHECK(co_await sink.open(announced));
  std::string buffer(kPiece, '\0');
  for (;;) {
    TRU_HTTP_TRY(const std::size_t bytes, co_await exchange.read_some(buffer));
    if (bytes == 0) co_return sink.take();
    TRU_HTTP_CHECK(co_await sink.write(std::string_view(buffer).substr(0, bytes)));
  }
}

struct FormReader::State {
  State(Exchange& from, std::string_view boundary, MultipartLimits limits)
      : exchange(from), parser(boundary, limits) {}

  Task<Expected<MultipartParser::Event>> next();

  Exchange& exchange;
  MultipartParser parser;
  std::string buffer = std::string(kPiece, '\0');
  std::string_view input;  // what the parser has not taken of it
  bool in_part = false;
};

Task<Expected<MultipartParser::Event>> FormReader::State::next() {
  for (;;) {
    TRU_HTTP_TRY(const MultipartParser::Event event, parser.next(input));
    if (event.kind != MultipartParser::Kind::need_more) {
      in_part =
          event.kind == MultipartParser::Kind::part || event.kind == MultipartParser::Kind::data;
      co_return event;
    }
    TRU_HTTP_TRY(const std::size_t bytes, co_await exchange.read_some(buffer));
    if (bytes == 0) {
      co_return refuse({refusal::multipart_malformed, "the form ends before its last boundary"});
    }
    input = std::string_view(buffer).substr(0, bytes);
  }
}

FormReader::FormReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
FormReader::FormReader(FormReader&&) noexcept = default;
FormReader& FormReader::operator=(FormReader&&) noexcept = default;
FormReader::~FormReader() = default;

Expected<FormReader> FormReader::open(Exchange& exchange, std::uint64_t body_limit_bytes,
                                      MultipartLimits limits) {
  const auto boundary = multipart_boundary(exchange.head().header("Content-Type").value_or(""));
  if (!boundary) return refuse(refusal::multipart_expected);
  if (exchange.content_length().value_or(0) > body_limit_bytes) {
    return refuse(refusal::upload_too_large);
  }
  return FormReader(std::make_unique<State>(exchange, *boundary, limits));
}

Task<Expected<std::optional<FormPart>>> FormReader::next() {
  using Kind = MultipartParser::Kind;
  for (;;) {
    TRU_HTTP_TRY(const MultipartParser::Event event, co_await state_->next());
    if (event.kind == Kind::part) co_return state_->parser.part();
    if (event.kind == Kind::end) break;
  }
  // What follows the form's end may only be blank, and is read so that the connection can go on.
  for (;;) {
    TRU_HTTP_TRY(const MultipartParser::Event rest, state_->parser.next(state_->input));
    static_cast<void>(rest);
    TRU_HTTP_TRY(const std::size_t bytes, co_await state_->exchange.read_some(state_->buffer));
    if (bytes == 0) co_return std::optional<FormPart>();
    state_->input = std::string_view(state_->buffer).substr(0, bytes);
  }
}

Task<Expected<std::string>> FormReader::read_text(std::size_t limit_bytes) {
  std::string text;
  while (state_->in_part) {
    TRU_HTTP_TRY(const MultipartParser::Event event, co_await state_->next());
    text.append(event.data);
    if (text.size() > limit_bytes) {
      Problem problem = refusal::field_too_large;
      problem.field = state_->parser.part().name;
      co_return refuse(std::move(problem));
    }
  }
  co_return text;
}

Task<Expected<PrivateFile>> FormReader::save(SaveOptions options) {
  FileSink sink(state_->exchange, std::move(options));
  TRU_HTTP_CHECK(co_await sink.open(state_->exchange.content_length().value_or(0)));
  while (state_->in_part) {
    TRU_HTTP_TRY(const MultipartParser::Event event, co_await state_->next());
    if (!event.data.empty()) TRU_HTTP_CHECK(co_await sink.write(event.data));
  }
  co_return sink.take();
}

}  // namespace tru::http
