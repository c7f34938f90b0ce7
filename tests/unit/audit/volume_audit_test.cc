#include "agent/audit/volume_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <string>

#include "agent/volume/volume_record.h"
#include "base/file.h"

namespace escagent::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

volume::VolumeAttributes AttributesOf(std::map<std::string, std::string> attributes) {
  attributes["secretStore"] = "app";
  auto parsed = volume::ParseVolumeAttributes(attributes, "");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return *std::move(parsed);
}

TEST(KeyOfTest, FilesAreKeysBelowThePath) {
  EXPECT_EQ(KeyOf(AttributesOf({}), "db/password"), "db.password");
  EXPECT_EQ(KeyOf(AttributesOf({{"path", "app"}}), "db/password"), "app.db.password");
  EXPECT_EQ(KeyOf(AttributesOf({{"path", "app"}}), "list/3"), "app.list[3]");
  EXPECT_EQ(KeyOf(AttributesOf({{"path", "app"}}), "a.b"), "app[\"a.b\"]");
  EXPECT_EQ(KeyOf(AttributesOf({{"path", "app.hello"}}), "hello"), "app.hello");
}

TEST(KeyOfTest, ItemsNameTheirKeys) {
  const auto attributes =
      AttributesOf({{"path", "app"}, {"items", "[{path: 'db[\"p.w\"]', file: x/pw}, {path: a}]"}});
  EXPECT_EQ(KeyOf(attributes, "x/pw"), "app.db[\"p.w\"]");
  EXPECT_EQ(KeyOf(attributes, "a"), "app.a");
  EXPECT_EQ(KeyOf(attributes, "other"), "");
}

TEST(KeyOfTest, SingleFilesAreTheWhole) {
  EXPECT_EQ(KeyOf(AttributesOf({{"path", "app"}, {"format", "json"}}), "values.json"), "app");
  EXPECT_EQ(KeyOf(AttributesOf({{"format", "dotenv"}}), ".env"), "");
}

class VolumeAuditTest : public ::testing::Test {
 protected:
  VolumeAuditTest() {
    std::string pattern = ::testing::TempDir() + "/audit-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    log_ = *AuditLog::Start({.path = folder_ + "/log", .node = "n"});
  }
  ~VolumeAuditTest() override {
    log_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Ends the log.
  std::string Text() {
    log_.reset();
    return std::string(ReadFile(folder_ + "/log")->Reveal());
  }

  static std::string Metadata() {
    volume::VolumeIdentity identity;
    identity.volume_id = "csi-1";
    identity.target = "/t";
    identity.pod = {
        .name = "web-1", .namespace_name = "shop", .uid = "uid-1", .service_account = "web"};
    identity.requested.attributes = {{"secretStore", "app"}, {"path", "app"}};
    return volume::EncodeRecord(identity, {"SecretStore shop/app", "acme/shop/prod"}, {});
  }

  std::string folder_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(VolumeAuditTest, AnOpenedFile) {
  const fuse::OpenListener listener = ListenToOpens(*log_, Metadata());
  listener({.file = {.path = "db/password", .revision = "7"}, .uid = 1000, .gid = 5, .pid = 9});
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("\"allowed\":true"));
  EXPECT_THAT(text, HasSubstr("\"key\":\"app.db.password\""));
  EXPECT_THAT(text, HasSubstr("\"pod\":\"web-1\""));
  EXPECT_THAT(text, HasSubstr("\"serviceAccount\":\"web\""));
  EXPECT_THAT(text, HasSubstr("\"environment\":\"acme/shop/prod\""));
  EXPECT_THAT(text, HasSubstr("\"revision\":\"7\""));
  EXPECT_THAT(text, HasSubstr("\"uid\":1000"));
}

TEST_F(VolumeAuditTest, ADeniedFile) {
  const fuse::OpenListener listener = ListenToOpens(*log_, Metadata());
  listener({.file = {.path = "a"}, .error = EROFS});
  listener({.file = {.path = "b", .withheld = true}});
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("opened for writing"));
  EXPECT_THAT(text, HasSubstr("may not read the environment any more"));
  EXPECT_THAT(text, Not(HasSubstr("\"allowed\":true")));
}

TEST_F(VolumeAuditTest, MetadataOfAnotherVersionLeavesThePodOut) {
  ListenToOpens(*log_, "no json")({.file = {.path = "a"}, .uid = 3});
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("\"file\":\"a\""));
  EXPECT_THAT(text, HasSubstr("\"uid\":3"));
}

TEST_F(VolumeAuditTest, MountsAndDenials) {
  using Kind = volume::VolumeEvent::Kind;
  volume::VolumeEvent event{.kind = Kind::kPublish, .volume_id = "csi-1", .error = std::nullopt};
  event.pod.name = "web-1";
  event.source = {"SecretStore shop/app", "acme/shop/prod"};
  WriteVolumeEvent(*log_, event);
  event.error = Error{.code = Code::kPermissionDenied, .message = "not you"};
  WriteVolumeEvent(*log_, event);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("\"allowed\":true"));
  EXPECT_THAT(text, HasSubstr("\"event\":\"mount\""));
  EXPECT_THAT(text, HasSubstr("\"reason\":\"not you\""));
}

TEST_F(VolumeAuditTest, OutagesAndRotationsAreNoAuditEvents) {
  using Kind = volume::VolumeEvent::Kind;
  volume::VolumeEvent event{.kind = Kind::kPublish,
                            .volume_id = "csi-1",
                            .error = Error{.code = Code::kUnavailable, .message = "down"}};
  WriteVolumeEvent(*log_, event);
  event.kind = Kind::kRotate;
  event.error.reset();
  WriteVolumeEvent(*log_, event);
  EXPECT_THAT(Text(), IsEmpty());
}

}  // namespace
}  // namespace escagent::audit
