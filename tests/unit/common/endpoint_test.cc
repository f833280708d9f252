#include "common/endpoint.h"

#include <gtest/gtest.h>

#include <string>

namespace rowhouse {
namespace {

Endpoint Parsed(const std::string& text) {
  const auto endpoint = ParseEndpoint(text);
  EXPECT_TRUE(endpoint.ok()) << endpoint.status();
  return endpoint.value_or(Endpoint{});
}

TEST(Endpoint, TakesHostsAddressesAndPaths) {
  EXPECT_EQ(Parsed("ps-0.cluster:7600"), (Endpoint{.host = "ps-0.cluster", .port = 7600}));
  EXPECT_EQ(Parsed("127.0.0.1:0"), (Endpoint{.host = "127.0.0.1", .port = 0}));
  EXPECT_EQ(Parsed("[::1]:65535"), (Endpoint{.host = "::1", .port = 65535}));
  EXPECT_EQ(Parsed("unix:/run/rowhouse"), (Endpoint{.path = "/run/rowhouse"}));
  EXPECT_TRUE(Parsed("unix:/run/rowhouse").is_unix());
}

TEST(Endpoint, PrintsWhatItParses) {
  for (const std::string text : {"ps:7600", "127.0.0.1:1", "[::1]:7600", "unix:/run/rowhouse"}) {
    EXPECT_EQ(ToString(Parsed(text)), text);
  }
}

TEST(Endpoint, PathsEndWhereTheSystemsDo) {
  EXPECT_TRUE(ParseEndpoint("unix:" + std::string(107, 'a')).ok());
  EXPECT_FALSE(ParseEndpoint("unix:" + std::string(108, 'a')).ok());
}

TEST(Endpoint, RefusalsNameTextReasonAndForms) {
  struct Case {
    const char* text;
    const char* why;
  };
  for (const auto& [text, why] :
       {Case{"", "no port"}, Case{"host", "no port"}, Case{"host:", "port is not a number"},
        Case{"host:65536", "port is not a number"}, Case{"host:-1", "port is not a number"},
        Case{"host:7x", "port is not a number"}, Case{":7600", "host is empty"},
        Case{"[]:7600", "host is empty"}, Case{"unix:", "path is empty"}}) {
    const std::string message(ParseEndpoint(text).status().message());
    EXPECT_NE(message.find(why), std::string::npos) << text << ": " << message;
    EXPECT_NE(message.find("'" + std::string(text) + "'"), std::string::npos) << message;
    EXPECT_NE(message.find("unix:/path"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace rowhouse
