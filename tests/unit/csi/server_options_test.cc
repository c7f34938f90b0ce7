#include "csi/server_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace escagent::csi {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ServerOptions ValidOptions() {
  ServerOptions options;
  options.driver_name = "csi.esc-agent.io";
  options.version = "1.2.3";
  options.node_name = "node-a";
  options.csi_endpoint = "unix:///csi/csi.sock";
  options.registration_socket = "/registration/csi.esc-agent.io-reg.sock";
  options.kubelet_registration_path = "/var/lib/kubelet/plugins/csi.esc-agent.io/csi.sock";
  return options;
}

TEST(ValidateServerOptions, AcceptsWhatTheManifestsSet) { EXPECT_TRUE(Validate(ValidOptions())); }

TEST(ValidateServerOptions, RegistrationIsOptional) {
  ServerOptions options = ValidOptions();
  options.registration_socket.clear();
  options.kubelet_registration_path.clear();
  EXPECT_TRUE(Validate(options));
}

struct Case {
  const char* description;
  std::function<void(ServerOptions&)> change;
  const char* message;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.description; }

class RefusedOptionsTest : public ::testing::TestWithParam<Case> {};

TEST_P(RefusedOptionsTest, NamesTheFlag) {
  ServerOptions options = ValidOptions();
  GetParam().change(options);
  const Status status = Validate(options);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  EXPECT_THAT(status.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedOptionsTest,
    ::testing::Values(
        Case{"no driver name", [](auto& o) { o.driver_name = ""; }, "--driver-name"},
        Case{"driver name with a slash", [](auto& o) { o.driver_name = "a/b"; }, "--driver-name"},
        Case{"driver name ends in a dot", [](auto& o) { o.driver_name = "csi.esc."; },
             "--driver-name"},
        Case{"long driver name", [](auto& o) { o.driver_name = std::string(64, 'a'); },
             "--driver-name"},
        Case{"no node name", [](auto& o) { o.node_name = ""; }, "--node-name"},
        Case{"long node name", [](auto& o) { o.node_name = std::string(257, 'n'); }, "--node-name"},
        Case{"endpoint without scheme", [](auto& o) { o.csi_endpoint = "/csi/csi.sock"; },
             "--csi-endpoint must have the form unix:///absolute/path.sock"},
        Case{"relative endpoint", [](auto& o) { o.csi_endpoint = "unix://csi.sock"; },
             "--csi-endpoint must be an absolute path"},
        Case{"endpoint is a folder", [](auto& o) { o.csi_endpoint = "unix:///csi/"; },
             "must name a socket"},
        Case{"long endpoint", [](auto& o) { o.csi_endpoint = "unix:///" + std::string(107, 'c'); },
             "at most 107 bytes long, has 108"},
        Case{"relative registration socket", [](auto& o) { o.registration_socket = "reg.sock"; },
             "--registration-socket must be an absolute path"},
        Case{"nothing to announce", [](auto& o) { o.kubelet_registration_path = ""; },
             "--kubelet-registration-path must be an absolute path"},
        Case{"one socket for both", [](auto& o) { o.registration_socket = "/csi/csi.sock"; },
             "must not be the socket of --csi-endpoint"}));

TEST(ValidateServerOptions, ListsEverythingThatIsWrong) {
  ServerOptions options = ValidOptions();
  options.driver_name = "";
  options.node_name = "";
  options.csi_endpoint = "tcp://";
  const Status status = Validate(options);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("--driver-name"), HasSubstr("--node-name"),
                                            HasSubstr("--csi-endpoint")));
}

}  // namespace
}  // namespace escagent::csi
