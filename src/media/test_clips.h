// Odd clips for the tests, made on the spot by the ffmpeg program. Its decoder is their oracle.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace tru::media {

namespace fs = std::filesystem;

// A folder for this test program's files, removed at its end.
inline const fs::path& clip_folder() {
  struct Folder {
    fs::path path = fs::temp_directory_path() / fmt::format("tru_test_media_{}", ::getpid());
    Folder() { fs::create_directories(path); }
    ~Folder() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  };
  static const Folder folder;
  return folder.path;
}

inline void run_ffmpeg(const std::string& arguments) {
  const std::string command = fmt::format(
      "cd '{}' && SVT_LOG=1 ffmpeg -hide_banner -nostdin -v error -y {} >/dev/null 2>ffmpeg.log",
      clip_folder().string(), arguments);
  ASSERT_EQ(std::system(command.c_str()), 0) << "these tests need the program ffmpeg: " << command;
}

// Runs `ffmpeg ARGUMENTS NAME` in clip_folder, once per name; the file's path.
inline fs::path make_clip(const std::string& name, const std::string& arguments) {
  fs::path path = clip_folder() / name;
  if (!fs::exists(path)) run_ffmpeg(arguments + " " + name);
  return path;
}

// A moving test picture, as ffmpeg's input.
inline std::string picture(int width, int height, const std::string& rate, double duration_s) {
  return fmt::format("-f lavfi -i testsrc2=size={}x{}:rate={}:duration={}", width, height, rate,
                     duration_s);
}

struct OracleFrame {
  double time_s = 0;   // since the first frame
  std::string sha256;  // of its RGB pixels, not turned upright
};

// All frames as the ffmpeg program decodes and converts them.
inline std::vector<OracleFrame> oracle_frames(const fs::path& clip) {
  const fs::path hashes = clip_folder() / "oracle.txt";
  run_ffmpeg(
      fmt::format("-autorotate 0 -threads 1 -i '{}' -map 0:v:0 "
                  "-vf scale=flags=bilinear,format=rgb24 -fps_mode passthrough "
                  "-enc_time_base -1 -f framehash -hash sha256 oracle.txt",
                  clip.string()));
  std::vector<OracleFrame> frames;
  std::ifstream lines(hashes);
  double tick_s = 0, first_s = 0;
  for (std::string line; std::getline(lines, line);) {
    int num = 0, den = 1;
    if (std::sscanf(line.c_str(), "#tb 0: %d/%d", &num, &den) == 2) tick_s = double(num) / den;
    if (line.empty() || line[0] == '#') continue;
    long long stream = 0, dts = 0, pts = 0;
    std::sscanf(line.c_str(), "%lld, %lld, %lld", &stream, &dts, &pts);
    if (frames.empty()) first_s = double(pts) * tick_s;
    frames.push_back({double(pts) * tick_s - first_s, line.substr(line.rfind(' ') + 1)});
  }
  return frames;
}

}  // namespace tru::media
