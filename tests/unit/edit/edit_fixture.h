#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esc/edit/definition_editor.h"
#include "esc/property_path.h"

namespace escagent::edit {

inline esc::PropertyPath PathOf(std::string_view text) {
  const Result<esc::PropertyPath> path = esc::PropertyPath::Parse(text);
  if (!path) ADD_FAILURE() << path.error().message;
  return path.value_or(esc::PropertyPath());
}

inline Edit SetEdit(std::string_view path, std::string_view value) {
  return Edit::Set(PathOf(path), Secret(value));
}

inline Edit RemoveEdit(std::string_view path) { return Edit::Remove(PathOf(path)); }

// The text after one edit, or the error's.
inline std::string TextAfter(std::string_view before, Edit edit) {
  std::vector<Edit> edits;
  edits.push_back(std::move(edit));
  const Result<Edited> edited = ApplyEdits(Secret(before), edits);
  if (!edited) return "error: " + edited.error().message;
  EXPECT_EQ(edited->changed(), edited->yaml.Reveal() != before);
  return std::string(edited->yaml.Reveal());
}

}  // namespace escagent::edit
