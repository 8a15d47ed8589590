#include "cli/check.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;

class Check : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tidegate-check-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const char* name, const char* text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  fs::path folder_;
};

constexpr const char* kPool = R"(apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: InferencePool
metadata: {name: pool}
spec:
  targetPortNumber: 8000
  selector: {app: a}
)";

TEST_F(Check, TheExamplesAreRight) {
  const CheckResult result =
      check_manifests({"examples/lora-canary", "examples/standalone", "examples/elastic"});
  EXPECT_TRUE(result.errors.empty()) << result.errors.front();
  EXPECT_GE(result.documents, 11);
}

TEST_F(Check, ErrorsNameFileLineAndField) {
  const std::string path = write("pool.yaml", R"(apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: InferencePool
metadata: {name: pool}
spec:
  targetPortNumber: 80000
  selector: {app: a}
)");
  const CheckResult result = check_manifests({path});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_TRUE(result.errors[0].starts_with(path + ":5: ")) << result.errors[0];
  EXPECT_NE(result.errors[0].find("spec.targetPortNumber"), std::string::npos);
}

TEST_F(Check, AMisspeltFieldOfKubernetesOwnKindsIsNamed) {
  const std::string path = write("web.yaml", R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replcias: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: example/web}]}
)");
  const CheckResult result = check_manifests({path});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_EQ(result.errors[0],
            path + ":5: Deployment web: spec.replcias is not a field here; did you mean replicas?");
}

TEST_F(Check, OneBrokenFileDoesNotHideTheOthers) {
  write("a.yaml", "kind: [");
  write("b.yaml", kPool);
  write("c.yaml", "apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n");
  write("notes.txt", "not a manifest");
  const CheckResult result = check_manifests({folder_.string()});
  EXPECT_EQ(result.files, 3);
  EXPECT_EQ(result.documents, 2);
  EXPECT_EQ(result.errors.size(), 2u);
}

TEST_F(Check, TheSameObjectTwiceIsAnError) {
  write("a.yaml", kPool);
  write("b.yaml", kPool);
  const CheckResult result = check_manifests({folder_.string()});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_NE(result.errors[0].find("written down twice"), std::string::npos);
}

TEST_F(Check, AnEmptyFolderIsNotSilence) { EXPECT_EQ(check_manifests({folder_.string()}).errors.size(), 1u); }

}  // namespace
}  // namespace tidegate::cli
