// The embedded home with real processes of this machine: shells that sleep, and what they leave in files.

#include "cli/home.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "machine/process.h"

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;

// What the home says, with a way to wait for it.
class Ear {
 public:
  void hear(const Line& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line.about + ": " + line.text);
    changed_.notify_all();
  }
  // Waits until `count` lines hold `text`.
  bool heard(const std::string& text, std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      return static_cast<std::size_t>(std::count_if(
                 lines_.begin(), lines_.end(),
                 [&](const std::string& line) { return line.find(text) != std::string::npos; })) >= count;
    });
  }
  std::string all() {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const std::string& line : lines_) text += line + "\n";
    return text;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

class HomeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tidegate-home-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    fs::create_directory(folder_ / "files");
  }
  void TearDown() override { fs::remove_all(folder_); }

  HomeOptions options() const {
    HomeOptions options;
    options.data_dir = folder_ / "data";
    options.files = {folder_ / "files"};
    options.machine.data_dir = options.data_dir;
    options.machine.program = "/bin/false";
    options.machine.image_rules = {"busybox=host"};
    options.machine.pod_range = "127.77.0.0/16";
    options.machine.gpus = 2;
    options.gateway.stats_port = 0;
    options.gateway.drain_timeout = std::chrono::milliseconds(100);
    return options;
  }

  // A Deployment whose pods run `script`.
  void deploy(const std::string& script, int replicas, const std::string& more = "") const {
    std::ofstream file(folder_ / "files" / "app.yaml", std::ios::trunc);
    file << "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  replicas: " << replicas
         << "\n  selector: {matchLabels: {app: app}}\n  template:\n    metadata: {labels: {app: app}}\n    "
            "spec:\n"
            "      terminationGracePeriodSeconds: 5\n      containers:\n        - name: main\n          "
            "image: busybox\n"
            "          command: [sh, -c, '"
         << script << "']\n"
         << more;
  }

  std::string logs() const {
    std::string text;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "data" / "pods")) {
      if (entry.path().extension() != ".log") continue;
      std::ifstream file(entry.path());
      std::ostringstream content;
      content << file.rdbuf();
      text += content.str();
    }
    return text;
  }

  fs::path folder_;
  SystemClock clock_;
  Ear ear_;
};

TEST_F(HomeTest, RunsADeploymentAndEndsIt) {
  deploy("echo at $POD_IP $GREETING; trap \"echo ended; exit 0\" TERM; while :; do sleep 0.05; done", 2,
         "          env: [{name: GREETING, value: hello}]\n");
  Home home(options(), clock_, [&](const Line& line) { ear_.hear(line); });
  ASSERT_TRUE(home.start().has_value());
  ASSERT_TRUE(ear_.heard("ready after", 2)) << ear_.all();
  EXPECT_TRUE(home.progress().files_read);
  EXPECT_EQ(home.progress().pods_wanted, 2);
  home.stop();
  EXPECT_NE(logs().find("stdout F at 127.77.0.1 hello"), std::string::npos) << logs();
  EXPECT_NE(logs().find("stdout F at 127.77.0.2 hello"), std::string::npos) << logs();
  EXPECT_NE(logs().find("stdout F ended"), std::string::npos) << "SIGTERM came first";
}

TEST_F(HomeTest, FollowsTheFile) {
  deploy("while :; do sleep 0.05; done", 1);
  Home home(options(), clock_, [&](const Line& line) { ear_.hear(line); });
  ASSERT_TRUE(home.start().has_value());
  ASSERT_TRUE(ear_.heard("ready after", 1)) << ear_.all();
  deploy("while :; do sleep 0.05; done", 2);
  ASSERT_TRUE(ear_.heard("ready after", 2)) << ear_.all();
  fs::remove(folder_ / "files" / "app.yaml");
  ASSERT_TRUE(ear_.heard("is being deleted", 2)) << ear_.all();
  home.stop();
}

TEST_F(HomeTest, RestartsWhatCrashesAndSaysSo) {
  deploy("sleep 0.1; echo out of luck >&2; exit 7", 1);
  Home home(options(), clock_, [&](const Line& line) { ear_.hear(line); });
  ASSERT_TRUE(home.start().has_value());
  ASSERT_TRUE(ear_.heard("ended with status 7: out of luck", 2)) << ear_.all();
  ASSERT_TRUE(ear_.heard("CrashLoopBackOff")) << ear_.all();
  home.stop();
}

TEST_F(HomeTest, SaysWhatIsUnknownAndWhatDoesNotFit) {
  std::ofstream(folder_ / "files" / "pods.yaml") << R"(
apiVersion: v1
kind: Pod
metadata: {name: strange}
spec: {containers: [{name: main, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: wrong}
spec: {containers: [{name: main, image: busybox, command: [no-such-program]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: missing}
spec: {containers: [{name: main, image: busybox, command: [sleep, "9"], envFrom: [{configMapRef: {name: none}}]}]}
)";
  Home home(options(), clock_, [&](const Line& line) { ear_.hear(line); });
  ASSERT_TRUE(home.start().has_value());
  EXPECT_TRUE(ear_.heard("add --image 'nginx=host'")) << ear_.all();
  EXPECT_TRUE(ear_.heard("program \"no-such-program\" is not on this machine's PATH")) << ear_.all();
  EXPECT_TRUE(ear_.heard("configmap \"none\" not found")) << ear_.all();
  home.stop();
}

// A Node of a pool, and a pod bound to it.
void write_node(const fs::path& files, const std::string& metadata) {
  std::ofstream(files / "node.yaml", std::ios::trunc)
      << "apiVersion: v1\nkind: Node\nmetadata: {name: cloud-1" << metadata
      << "}\nspec: {providerID: local://elastic/cloud-1}\n"
         "status: {allocatable: {cpu: 4, memory: 8Gi, pods: 10}}\n";
}

TEST_F(HomeTest, RunsThePodsOfAPoolsMachine) {
  write_node(folder_ / "files", "");
  std::ofstream(folder_ / "files" / "pod.yaml") << R"(
apiVersion: v1
kind: Pod
metadata: {name: guest}
spec:
  nodeSelector: {kubernetes.io/hostname: cloud-1}
  terminationGracePeriodSeconds: 2
  containers: [{name: main, image: busybox, command: [sh, -c, "exec sleep 600"]}]
)";
  Home home(options(), clock_, [&](const Line& line) { ear_.hear(line); });
  ASSERT_TRUE(home.start().has_value());
  ASSERT_TRUE(ear_.heard("node cloud-1: is up")) << ear_.all();
  ASSERT_TRUE(ear_.heard("pod default/guest: ready after")) << ear_.all();
  write_node(folder_ / "files", ", annotations: {tidegate.dev/fail: link-down}");
  ASSERT_TRUE(ear_.heard("node cloud-1: is no longer heard of")) << ear_.all();
  write_node(folder_ / "files", "");
  ASSERT_TRUE(ear_.heard("node cloud-1: is back")) << ear_.all();
  write_node(folder_ / "files", ", annotations: {tidegate.dev/fail: crash}");
  ASSERT_TRUE(ear_.heard("node cloud-1: crashed")) << ear_.all();
  write_node(folder_ / "files", "");
  ASSERT_TRUE(ear_.heard("pod default/guest: ready after", 2)) << ear_.all();
  fs::remove(folder_ / "files" / "node.yaml");
  ASSERT_TRUE(ear_.heard("node cloud-1: is gone")) << ear_.all();
  ASSERT_TRUE(ear_.heard("pod default/guest: is being deleted")) << ear_.all();
  home.stop();
}

TEST_F(HomeTest, TwoHomesDoNotShareAFolder) {
  Home first(options(), clock_, [](const Line&) {});
  ASSERT_TRUE(first.start().has_value());
  Home second(options(), clock_, [](const Line&) {});
  const auto refused = second.start();
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("in use by another tidegate"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::cli
