#include "esc/environment_ref.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace escagent::esc {
namespace {

using ::testing::HasSubstr;

TEST(EnvironmentRefTest, ParsesAndPrints) {
  struct Case {
    std::string text;
    EnvironmentRef ref;
    std::string printed;
  };
  const Case cases[] = {
      {"acme/web/dev", {"acme", "web", "dev", ""}, "acme/web/dev"},
      {"acme/web/dev@3", {"acme", "web", "dev", "3"}, "acme/web/dev@3"},
      {"acme/web/dev:stable", {"acme", "web", "dev", "stable"}, "acme/web/dev@stable"},
      {"a-b_c/w.e-b_1/d.e", {"a-b_c", "w.e-b_1", "d.e", ""}, "a-b_c/w.e-b_1/d.e"},
      {"acme/default/...", {"acme", "default", "...", ""}, "acme/default/..."},
  };
  for (const Case& c : cases) {
    const Result<EnvironmentRef> ref = EnvironmentRef::Parse(c.text);
    ASSERT_TRUE(ref) << c.text << ": " << ref.error().message;
    EXPECT_EQ(*ref, c.ref) << c.text;
    EXPECT_EQ(ref->ToString(), c.printed);
  }
}

TEST(EnvironmentRefTest, RefusesWhatEscDoesNotAllow) {
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {"", "ORGANIZATION/PROJECT/ENVIRONMENT"},
      {"web/dev", "ORGANIZATION/PROJECT/ENVIRONMENT"},
      {"acme/web/dev/extra", "ORGANIZATION/PROJECT/ENVIRONMENT"},
      {"ac/web/dev", "organization"},
      {"-acme/web/dev", "organization"},
      {"acme-/web/dev", "organization"},
      {"ac.me/web/dev", "organization"},
      {std::string(41, 'a') + "/web/dev", "organization"},
      {"acme//dev", "project"},
      {"acme/../dev", "project"},
      {"acme/w b/dev", "project"},
      {"acme/web/", "environment"},
      {"acme/web/.", "environment"},
      {"acme/web/" + std::string(101, 'e'), "environment"},
      {"acme/web/d\xC3\xA9v", "environment"},
      {"acme/web/dev@", "nothing follows"},
      {"acme/web/dev@1/2", "version"},
      {"acme/web/dev@a b", "version"},
      {"acme/web/dev@1@2", "version"},
  };
  for (const Case& c : cases) {
    const Result<EnvironmentRef> ref = EnvironmentRef::Parse(c.text);
    ASSERT_FALSE(ref) << c.text;
    EXPECT_EQ(ref.error().code, Code::kInvalidArgument) << c.text;
    EXPECT_THAT(ref.error().message, HasSubstr(c.message)) << c.text;
  }
}

TEST(EnvironmentRefTest, ValidateNamesWhatIsRead) {
  const EnvironmentRef ref{"acme", "we/b", "dev", ""};
  const Status status = ref.Validate("store default/app");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("store default/app: the project must be"));
}

}  // namespace
}  // namespace escagent::esc
