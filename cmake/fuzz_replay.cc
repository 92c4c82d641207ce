// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target once over every file it is given (folders are walked), without libFuzzer: so
// that the committed corpus is a regression test under every compiler and sanitizer.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void collect(const std::filesystem::path& path, std::vector<std::filesystem::path>& files) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  } else {
    files.push_back(path);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  try {
    for (int i = 1; i < argc; ++i) collect(argv[i], files);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: cannot list the inputs: %s\n", argv[0], error.what());
    return 2;
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "%s: no input files: a replay of nothing proves nothing\n", argv[0]);
    return 2;
  }
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      std::fprintf(stderr, "%s: cannot read %s\n", argv[0], file.c_str());
      return 2;
    }
    const std::vector<char> content{std::istreambuf_iterator<char>(stream),
                                    std::istreambuf_iterator<char>()};
    // Printed before the run: a crash then leaves the name of its input on the screen. An exact
    // heap copy lets the address sanitizer see a read one byte past the end.
    std::fprintf(stderr, "replay %s (%zu bytes)\n", file.c_str(), content.size());
    const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[content.size()]);
    std::copy(content.begin(), content.end(), bytes.get());
    LLVMFuzzerTestOneInput(bytes.get(), content.size());
  }
  std::printf("%zu inputs replayed\n", files.size());
  return 0;
}
