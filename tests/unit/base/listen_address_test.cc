#include "base/listen_address.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent {
namespace {

TEST(ListenAddress, ReadsHostAndPort) {
  struct Case {
    std::string text;
    std::string host;
    int port;
  };
  for (const Case& c : {Case{"127.0.0.1:9808", "127.0.0.1", 9808}, Case{":80", "0.0.0.0", 80},
                        Case{"[::1]:0", "::1", 0}, Case{"localhost:65535", "localhost", 65535}}) {
    const Result<ListenAddress> address = ListenAddress::Parse(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(address->host, c.host);
    EXPECT_EQ(address->port, c.port);
  }
}

TEST(ListenAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "9808", "host", "host:", "host:x", "host:80x", "host:65536",
                           "host:-1", "::1:80", "host:80 "}) {
    const Result<ListenAddress> address = ListenAddress::Parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace escagent
