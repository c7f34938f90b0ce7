#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace escagent::devserver {

// A folder of definitions for one test; removed with it.
class DefinitionFolder {
 public:
  DefinitionFolder() {
    std::string path = ::testing::TempDir() + "definitions-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~DefinitionFolder() { std::filesystem::remove_all(path_); }
  DefinitionFolder(const DefinitionFolder&) = delete;
  DefinitionFolder& operator=(const DefinitionFolder&) = delete;

  std::string path() const { return path_.string(); }
  // `name` is "org/project/env".
  std::filesystem::path FileOf(const std::string& name) const { return path_ / (name + ".yaml"); }

  void Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = FileOf(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::trunc | std::ios::binary) << text;
  }
  void Remove(const std::string& name) const { std::filesystem::remove(FileOf(name)); }

 private:
  std::filesystem::path path_;
};

}  // namespace escagent::devserver
