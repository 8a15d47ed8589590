#include "cluster/remote/kubeconfig.h"

#include <gtest/gtest.h>

namespace tidegate::remote {
namespace {

std::string config(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: {cluster: "
         "c, user: u, "
         "namespace: team}\nclusters:\n- name: c\n  cluster: " +
         cluster + "\nusers:\n- name: u\n  user: " + user + "\n";
}

Result<Access> parse(const std::string& cluster, const std::string& user = "{}") {
  return parse_kubeconfig("config", config(cluster, user), "/nowhere");
}

TEST(Kubeconfig, SaysWhereAndWho) {
  const auto access =
      parse("{server: 'https://[fd00::1]:6443/base/', tls-server-name: api.test}", "{token: abc}");
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->host, "fd00::1");
  EXPECT_EQ(access->port, 6443);
  EXPECT_EQ(access->base_path, "/base");
  EXPECT_EQ(access->server_name, "api.test");
  EXPECT_EQ(access->token, "abc");
  EXPECT_EQ(access->namespace_, "team");
  const auto decoded = parse("{server: 'https://a', certificate-authority-data: aGVsbG8=}", "{tokenFile: t}");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->authorities_pem, "hello");
  EXPECT_EQ(decoded->port, 443);
  EXPECT_EQ(decoded->token_file, "/nowhere/t");
}

TEST(Kubeconfig, NamesWhatIsWrong) {
  const auto message = [](const Result<Access>& access) {
    return access ? "accepted" : access.error().message;
  };
  const auto expect = [&](const Result<Access>& access, const std::string& part) {
    EXPECT_NE(message(access).find(part), std::string::npos) << message(access);
  };
  expect(parse("{}"), "clusters[c].cluster.server");
  expect(parse("{server: 'ftp://a'}"), "use https://HOST:PORT");
  expect(parse("{server: 'https://a:0'}"), "ports are 1 to 65535");
  expect(parse("{server: 'https://a:99999999999'}"), "port");
  expect(parse("{server: 'https://'}"), "no host name");
  expect(parse("{server: 'https://a b'}"), "no host name");
  expect(parse("{server: 'https://a', certificate-authority-data: '***'}"), "is not base64");
  expect(parse("{server: 'https://a', certificate-authority: missing.crt}"), "/nowhere/missing.crt");
  expect(parse("{server: 'https://a', proxy-url: 'http://p'}"), "proxy-url");
  expect(parse("{server: 'https://a'}", "{client-certificate-data: aGVsbG8=}"), "without client-key");
  expect(parse("{server: 'https://a'}", "{token: \"a b\"}"), "users[u].user.token");
  expect(parse("{server: 'https://a'}", "{auth-provider: {name: gcp}}"), "auth-provider");
  expect(parse("{server: 'https://a'}", "{exec: {apiVersion: v9, command: x}}"), "exec.apiVersion");
  expect(parse_kubeconfig("config", config("{server: 'https://a'}", "{}"), "", "other"), "there are here");
  expect(parse_kubeconfig("config", "a: [", ""), "config:");
  expect(parse_kubeconfig("config", "{}", ""), "current-context");
}

}  // namespace
}  // namespace tidegate::remote
