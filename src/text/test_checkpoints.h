// The tokenizers and chat templates that the tests of this folder share.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "text/tokenizer.h"

namespace tru::text {

inline const std::filesystem::path kTestData = TRU_TEST_DATA;

// A folder that is removed with the object.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "tru-text-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline boost::json::value read_json(const std::filesystem::path& path) {
  return boost::json::parse(read_file(path));
}

inline std::filesystem::path small_checkpoint() {
  return kTestData / "models/dense-tied";
}

// The full tokenizer, unpacked once per test program.
inline const std::filesystem::path& full_checkpoint() {
  static const TempDir dir;
  static const bool is_ready = [] {
    const auto from = kTestData / "tokenizer_full";
    for (const char* name : {"tokenizer_config.json", "chat_template.json"}) {
      std::filesystem::copy_file(from / name, dir.path() / name);
    }
    const std::string command = "xz -dc '" + (from / "tokenizer.json.xz").string() + "' > '" +
                                (dir.path() / "tokenizer.json").string() + "'";
    return std::system(command.c_str()) == 0;
  }();
  EXPECT_TRUE(is_ready);
  return dir.path();
}

inline const Tokenizer& small_tokenizer() {
  static const auto tokenizer = Tokenizer::load(small_checkpoint());
  return tokenizer.value();
}

inline const Tokenizer& full_tokenizer() {
  static const auto tokenizer = Tokenizer::load(full_checkpoint());
  return tokenizer.value();
}

inline std::string decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string out;
  for (const TokenId id : ids) out += tokenizer.bytes(id);
  return out;
}

}  // namespace tru::text
