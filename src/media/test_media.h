// What the tests of this folder share.
#pragma once

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>

#include "base/frame.h"

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/sha.h>
}

namespace tru::media {

inline std::filesystem::path test_data(const std::string& name) {
  return std::filesystem::path(TRU_TEST_DATA) / name;
}

inline std::filesystem::path clip(const std::string& name) {
  return test_data("media/" + name);
}

inline boost::json::value read_json(const std::string& name) {
  std::ifstream file(test_data(name));
  std::stringstream text;
  text << file.rdbuf();
  return boost::json::parse(text.str());
}

inline std::string sha256(std::span<const std::uint8_t> bytes) {
  AVSHA* state = av_sha_alloc();
  av_sha_init(state, 256);
  av_sha_update(state, bytes.data(), bytes.size());
  std::uint8_t digest[32];
  av_sha_final(state, digest);
  av_free(state);
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

inline std::string sha256(const RgbFrame& frame) {
  return sha256(frame.pixels);
}

}  // namespace tru::media
