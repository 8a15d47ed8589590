// What requests say: paths, queries, selectors, media types, bodies.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/apiserver/media.h"
#include "cluster/apiserver/options.h"
#include "cluster/apiserver/resource_path.h"
#include "cluster/apiserver/selectors.h"
#include "cluster/apiserver/status.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;
using resource::Object;

std::string shown(std::string_view path) {
  const auto parsed = parse_resource_path(path);
  if (!parsed) return "none";
  return parsed->group + "|" + parsed->version + "|" + parsed->namespace_ + "|" + parsed->resource + "|" +
         parsed->name + "|" + parsed->subresource;
}

TEST(ResourcePath, NamesWhatIsMeant) {
  EXPECT_EQ(shown("/api/v1/pods"), "|v1||pods||");
  EXPECT_EQ(shown("/api/v1/namespaces/a/pods/p/log"), "|v1|a|pods|p|log");
  EXPECT_EQ(shown("/api/v1/namespaces"), "|v1||namespaces||");
  EXPECT_EQ(shown("/api/v1/namespaces/a"), "|v1||namespaces|a|");
  EXPECT_EQ(shown("/api/v1/namespaces/a/finalize"), "|v1||namespaces|a|finalize");
  EXPECT_EQ(shown("/api/v1/namespaces/a/pods"), "|v1|a|pods||");
  EXPECT_EQ(shown("/apis/apps/v1/namespaces/a/deployments/d/scale"), "apps|v1|a|deployments|d|scale");
  EXPECT_EQ(shown("/apis/apps/v1/"), "apps|v1||||");
  EXPECT_EQ(shown("/api/v1/nodes/n%2d1"), "|v1||nodes|n-1|");
}

TEST(ResourcePath, RefusesWhatCouldMeanTwoThings) {
  for (const char* path : {"", "/", "/api", "/apis/apps", "/metrics", "/api/v1/../v1/pods", "/api/v1//pods",
                           "/api/v1/pods/a%2fb", "/api/v1/pods/%2e%2e", "/api/v1/pods/%zz",
                           "/api/v1/namespaces/a/pods/p/log/more"}) {
    EXPECT_EQ(shown(path), "none") << path;
  }
}

TEST(ResourcePath, KindsFitTheirScope) {
  const auto kind = [](std::string_view path) { return find_resource(*parse_resource_path(path), resource::KindSet()); };
  EXPECT_NE(kind("/api/v1/pods"), nullptr);
  EXPECT_NE(kind("/api/v1/namespaces/a/pods/p"), nullptr);
  EXPECT_EQ(kind("/api/v1/pods/p"), nullptr);
  EXPECT_EQ(kind("/api/v1/namespaces/a/nodes/n"), nullptr);
  EXPECT_EQ(kind("/api/v2/pods"), nullptr);
  EXPECT_EQ(kind("/apis/apps/v1/pods"), nullptr);
}

TEST(Options, AreRead) {
  const auto options = parse_options(
      "labelSelector=a%3Db&limit=500&watch=true&resourceVersion=7&timeoutSeconds=9&dryRun=All&"
      "fieldValidation=Strict");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->label_selector, "a=b");
  EXPECT_EQ(options->limit, 500u);
  EXPECT_TRUE(options->watch);
  EXPECT_EQ(options->resource_version, 7u);
  EXPECT_EQ(options->timeout_s, 9);
  EXPECT_TRUE(options->dry_run);
  EXPECT_EQ(options->validation, Validation::kStrict);
  EXPECT_FALSE(parse_options("resourceVersion=0")->resource_version);
}

TEST(Options, WrongOnesAreBadRequests) {
  for (const char* query : {"limit=-1", "limit=x", "resourceVersion=x", "timeoutSeconds=soon", "a=%zz"}) {
    const auto options = parse_options(query);
    ASSERT_FALSE(options) << query;
    EXPECT_EQ(options.error().code, 400) << query;
  }
  // What options may be is Kubernetes' validation, not its parsing.
  for (const char* query : {"dryRun=Some", "fieldValidation=Loose"}) {
    const auto options = parse_options(query, "PATCH");
    ASSERT_FALSE(options) << query;
    EXPECT_EQ(options.error().code, 422) << query;
    EXPECT_EQ(options.error().kind, "PatchOptions") << query;
  }
}

resource::ObjectPtr pod(Json labels, const char* node = "n1") {
  return *Object::make({{"apiVersion", "v1"},
                        {"kind", "Pod"},
                        {"metadata", {{"name", "p"}, {"namespace", "a"}, {"labels", std::move(labels)}}},
                        {"spec", {{"nodeName", node}}},
                        {"status", {{"phase", "Running"}}}});
}

bool selects(std::string_view labels, std::string_view fields = {}) {
  const auto selector = parse_selector(*resource::find_kind("v1", "Pod"), labels, fields);
  EXPECT_TRUE(selector) << labels << fields << (selector ? "" : selector.error().message);
  return selector && selector->matches(*pod({{"app", "web"}, {"tier", "7"}}));
}

TEST(Selector, KnowsEveryOperator) {
  for (const char* text :
       {"", "app", "app=web", "app == web", "app!=db", "other!=x", "app in (db, web)", "app notin (db)",
        "other notin (db)", "!other", "tier>6", "tier < 8", "app=web,tier=7", "app in (web),tier"}) {
    EXPECT_TRUE(selects(text)) << text;
  }
  for (const char* text : {"other", "app=db", "app!=web", "app in (db)", "app notin (web)", "!app", "tier>7",
                           "app=web,tier=8", "other=", "other in (,x)"}) {
    EXPECT_FALSE(selects(text)) << text;
  }
}

TEST(Selector, KnowsFields) {
  EXPECT_TRUE(selects("", "metadata.name=p"));
  EXPECT_TRUE(selects("", "status.phase!=Pending,spec.nodeName=n1"));
  EXPECT_FALSE(selects("", "spec.nodeName=n2"));
  EXPECT_TRUE(selects("", "metadata.name=\\p"));
}

TEST(Selector, RefusesWhatItCannotUnderstand) {
  const resource::Kind& kind = *resource::find_kind("v1", "Pod");
  for (const char* text : {"=a", "a in", "a in (", "a in (b", "a in (b,", "a b", "a=b,", "a==b==c", "a=b c",
                           "!", ",", "a>b", "-a", "a=b@c", "a notin b"}) {
    EXPECT_FALSE(parse_selector(kind, text, "")) << text;
  }
  EXPECT_FALSE(parse_selector(kind, "", "spec.image=x"));
  EXPECT_FALSE(parse_selector(kind, "", "metadata.name"));
  EXPECT_FALSE(parse_selector(kind, std::string(20'000, 'a'), ""));
}

TEST(Media, TheFirstFormThatCanBeMadeCounts) {
  const auto form = [](std::string_view accept) {
    const auto found = accepted_form(accept);
    return found ? static_cast<int>(*found) : -1;
  };
  EXPECT_EQ(form(""), static_cast<int>(Form::kObject));
  EXPECT_EQ(form("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
            static_cast<int>(Form::kTable));
  EXPECT_EQ(form("application/json;as=Table;v=v9;g=meta.k8s.io,application/json"),
            static_cast<int>(Form::kObject));
  EXPECT_EQ(form("application/vnd.kubernetes.protobuf,*/*"), static_cast<int>(Form::kObject));
  EXPECT_EQ(form("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"),
            static_cast<int>(Form::kDiscovery));
  EXPECT_EQ(form("application/vnd.kubernetes.protobuf"), -1);
}

TEST(Media, BodiesAreBounded) {
  EXPECT_EQ(parse_body(BodyType::kJson, "{").error().code, 400);
  EXPECT_EQ(parse_body(BodyType::kJson, std::string(3 << 20, ' ')).error().code, 413);
  EXPECT_EQ(parse_body(BodyType::kJson, std::string(5000, '[')).error().code, 400);
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i > 0 ? "," : "") + "*" + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  const auto code = parse_body(BodyType::kYaml, bomb).error().code;
  EXPECT_TRUE(code == 400 || code == 413) << code;
  EXPECT_TRUE(parse_body(BodyType::kYaml, "a: 1"));
  EXPECT_FALSE(parse_body(BodyType::kYaml, "a: 1\n---\nb: 2\n"));
}

TEST(Status, NamesEveryCause) {
  const resource::Kind& kind = *resource::find_kind("apps/v1", "Deployment");
  const Json document = {{"spec", {{"replicas", -1}}}};
  const Status status = invalid_object(kind, "web",
                                       {{Code::kInvalid, "spec.replicas", "is -1; use 0 or more"},
                                        {Code::kInvalid, "spec.selector", "is missing; it is required"}},
                                       document);
  EXPECT_EQ(status.message,
            "Deployment.apps \"web\" is invalid: [spec.replicas: Invalid value: -1: use 0 or more, "
            "spec.selector: Required value]");
  const Json json = *resource::parse_json(to_text(status));
  EXPECT_EQ(json["code"], 422);
  EXPECT_EQ(json["reason"], "Invalid");
  EXPECT_EQ(json["details"]["kind"], "Deployment");
  EXPECT_EQ(json["details"]["causes"][1]["reason"], "FieldValueRequired");
}

TEST(Status, TellsAConflictFromANameThatIsTaken) {
  const resource::Kind& kind = *resource::find_kind("v1", "Pod");
  EXPECT_EQ(status_of({Code::kConflict, "", "pods \"a\" already exists"}, kind, "a").reason, "AlreadyExists");
  EXPECT_EQ(status_of({Code::kConflict, "", "changed"}, kind, "a").reason, "Conflict");
  EXPECT_EQ(status_of({Code::kNotFound, "", "x"}, kind, "a").code, 404);
  EXPECT_EQ(status_of({Code::kGone, "", "x"}, kind, "a").code, 410);
}

}  // namespace
}  // namespace tidegate::apiserver
