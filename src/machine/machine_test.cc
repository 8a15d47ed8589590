// The machine's small parts: images, environments, commands, addresses, logs, processes.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "machine/address_pool.h"
#include "machine/environment.h"
#include "machine/image.h"
#include "machine/launch.h"
#include "machine/log_file.h"
#include "machine/pod_status.h"
#include "machine/ports.h"
#include "machine/prober.h"
#include "machine/process.h"
#include "machine/sweep.h"
#include "machine/volumes.h"
#include "net/certificate.h"
#include "net/stream.h"
#include "net/tls.h"
#include "resource/fields.h"

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "tidegate-machine-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::string content(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Image, PatternsAndRepositories) {
  EXPECT_TRUE(matches_pattern("*/vllm*", "registry/ns/vllm-openai"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_FALSE(matches_pattern("*/vllm*", "python"));
  EXPECT_FALSE(matches_pattern("a*b", "a-c"));
  EXPECT_EQ(image_repository("registry:5000/team/vllm:0.4.1"), "registry:5000/team/vllm");
  EXPECT_EQ(image_repository("registry:5000/vllm"), "registry:5000/vllm");
  EXPECT_EQ(image_repository("vllm@sha256:00"), "vllm");
}

TEST(Image, UserRulesComeFirstAndUnknownSaysWhatToDo) {
  const auto map = ImageMap::make(EngineMode::kSimulate, {"busybox=host", "*/vllm-old=skip"});
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->choose("busybox:1").run_as, RunAs::kHost);
  EXPECT_EQ(map->choose("x/vllm-old").run_as, RunAs::kSkip);
  EXPECT_EQ(map->choose("vllm/vllm-openai:latest").run_as, RunAs::kEngine);
  const ImageChoice unknown = map->choose("nginx:1");
  EXPECT_EQ(unknown.run_as, RunAs::kUnknown);
  EXPECT_NE(unknown.why.find("--image 'nginx=host'"), std::string::npos);
  EXPECT_EQ(map->choose("llama2:1", {"sh", "-c", "python3 -m vllm.entrypoints.openai.api_server"}).run_as,
            RunAs::kEngine);
  EXPECT_EQ(map->choose("llama2:1", {"vllm", "serve", "x"}).run_as, RunAs::kEngine);
  EXPECT_EQ(map->choose("llama2:1", {"python3", "app.py"}).run_as, RunAs::kUnknown);
  EXPECT_FALSE(ImageMap::make(EngineMode::kCpu, {"x=maybe"}).has_value());
  EXPECT_FALSE(ImageMap::make(EngineMode::kCpu, {"=host"}).has_value());
}

TEST(Environment, ExpandsAsKubernetesDoes) {
  const Variables variables = {{"A", "1"}};
  EXPECT_EQ(expand("$(A)-$$(A)-$(B)-$A-$(", variables), "1-$(A)-$(B)-$A-$(");
  EXPECT_EQ(expand("$", variables), "$");
}

TEST(Environment, ResolvesEverySourceInOrder) {
  using Source = resource::EnvVar::Source;
  PodPlan pod;
  pod.key = {"default", "pool-1"};
  pod.labels = {{"app", "pool"}};
  resource::Container container;
  container.resources.limits["memory"] = *Quantity::parse("1Gi");
  container.env_from = {{false, "all", "P_", false}, {true, "none", "", true}};
  container.env = {{"PLAIN", Source::kValue, "x$(P_k)", "", "", false},
                   {"IP", Source::kField, "", "status.podIP", "", false},
                   {"APP", Source::kField, "", "metadata.labels['app']", "", false},
                   {"MEM", Source::kResource, "", "", "limits.memory", false},
                   {"KEY", Source::kSecret, "", "s", "token", false}};
  const DataLookup lookup = [](bool secret, const std::string& name) -> std::optional<Variables> {
    if (!secret && name == "all") return Variables{{"k", "v"}};
    if (secret && name == "s") return Variables{{"token", "t"}};
    return std::nullopt;
  };
  const auto result = resolve_environment(pod, container, {"127.64.0.1", "127.0.0.1", "home"}, lookup);
  ASSERT_TRUE(result.has_value()) << describe(result.error());
  EXPECT_EQ(result->at("PLAIN"), "xv");
  EXPECT_EQ(result->at("IP"), "127.64.0.1");
  EXPECT_EQ(result->at("APP"), "pool");
  EXPECT_EQ(result->at("MEM"), "1073741824");
  EXPECT_EQ(result->at("KEY"), "t");
  container.env[4].key = "missing";
  const auto missing = resolve_environment(pod, container, {}, lookup);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().message, "couldn't find key missing in secret \"s\"");
}

using Words = std::vector<std::string>;

TEST(Launch, RecognisesBothOfVllmsCommandLines) {
  const auto engine = [](Words argv) {
    return engine_command(argv, EngineMode::kSimulate, "/bin/tidegate", "127.64.0.1").value_or(Words{"none"});
  };
  EXPECT_EQ(engine({"python3", "-m", "vllm.entrypoints.openai.api_server", "--port", "8000"}),
            (Words{"/bin/tidegate", "engine", "--simulate", "--port", "8000"}));
  EXPECT_EQ(engine({"/usr/bin/python3.11", "-u", "-m", "vllm.entrypoints.openai.api_server"}),
            (Words{"/bin/tidegate", "engine", "--simulate"}));
  EXPECT_EQ(engine({"vllm", "serve", "qwen", "--port", "1"}),
            (Words{"/bin/tidegate", "engine", "--simulate", "--model", "qwen", "--port", "1"}));
  EXPECT_EQ(engine({"python3", "-m", "http.server"}), Words{"none"});
  EXPECT_EQ(engine({"python3", "-c", "-m", "vllm.entrypoints.openai.api_server"}), Words{"none"});
  EXPECT_EQ(engine({"vllm", "bench"}), Words{"none"});
  EXPECT_EQ(engine({}), Words{"none"});
  EXPECT_EQ(engine_command({"vllm", "serve", "m"}, EngineMode::kVllm, "/t", "127.64.0.1"),
            (Words{"vllm", "serve", "m", "--host", "127.64.0.1"}));
}

TEST(Launch, TheImagesOwnEntryPointIsVllms) {
  PodPlan pod;
  ContainerPlan container;
  container.spec.args = {"--model", "$(MODEL)"};
  const HomePaths home{"/data", "/bin/tidegate", "/usr/bin"};
  const auto command =
      make_command(pod, container, {RunAs::kEngine, ""}, EngineMode::kCpu, home,
                   {"127.64.0.9", "127.0.0.1", "home"}, {{"/models", "/real"}}, {{"MODEL", "qwen"}});
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->argv, (Words{"/bin/tidegate", "engine", "--model", "qwen"}));
  EXPECT_EQ(command->environment.at("PATH"), "/data/shims:/usr/bin");
  EXPECT_EQ(command->environment.at("TIDEGATE_PATH_MAP"), "/models=/real");
  EXPECT_EQ(command->environment.at("POD_IP"), "127.64.0.9");
  const auto nothing = make_command(pod, container, {RunAs::kHost, ""}, EngineMode::kCpu, home, {}, {}, {});
  EXPECT_FALSE(nothing.has_value());
}

TEST(AddressPool, NeverTheSameSoon) {
  auto pool = AddressPool::make("127.64.0.0/24");
  ASSERT_TRUE(pool.has_value());
  const std::string first = *pool->take();
  EXPECT_EQ(first, "127.64.0.1");
  pool->release(first);
  EXPECT_EQ(*pool->take(), "127.64.0.2");
  for (int i = 0; i < 253; ++i) pool->take();
  EXPECT_FALSE(pool->take().has_value());
  pool->release("127.64.0.7");
  EXPECT_EQ(*pool->take(), "127.64.0.7");
}

TEST(AddressPool, RefusesWhatIsNoLoopbackRange) {
  for (const char* range :
       {"10.0.0.0/16", "127.64.0.0", "127.64.0.0/30", "127.64.0.0/x", "", "127.0.0.0/8"}) {
    EXPECT_FALSE(AddressPool::make(range).has_value()) << range;
  }
}

TEST(LogFile, WritesTheFormatOfKubelets) {
  const Folder folder;
  const WallTime now{std::chrono::nanoseconds(1'800'000'000'000'000'005)};
  LogFile log(folder.path / "0.log", {});
  log.write(LogFile::Stream::kOut, "one\ntw", now);
  log.write(LogFile::Stream::kErr, "oops\n", now);
  log.write(LogFile::Stream::kOut, "o\nrest", now);
  log.finish(now);
  EXPECT_EQ(content(folder.path / "0.log"),
            "2027-01-15T08:00:00.000000005Z stdout F one\n2027-01-15T08:00:00.000000005Z stderr F oops\n"
            "2027-01-15T08:00:00.000000005Z stdout F two\n2027-01-15T08:00:00.000000005Z stdout F rest\n");
}

TEST(LogFile, SplitsLongLinesAndRotates) {
  const Folder folder;
  LogFile log(folder.path / "0.log", {.file_bytes_max = 64 * 1024, .files_max = 3});
  log.write(LogFile::Stream::kOut, std::string(LogFile::kLineMax + 5, 'x') + "\n", WallTime{});
  EXPECT_NE(content(folder.path / "0.log").find(" stdout P "), std::string::npos);
  for (int i = 0; i < 10'000; ++i) log.write(LogFile::Stream::kOut, "some line of output\n", WallTime{});
  EXPECT_LE(fs::file_size(folder.path / "0.log"), 64u * 1024);
  EXPECT_TRUE(fs::exists(folder.path / "0.log.2"));
  EXPECT_FALSE(fs::exists(folder.path / "0.log.3"));
}

Command shell(const std::string& script) {
  Command command;
  command.argv = {"sh", "-c", script};
  command.environment = {{"PATH", "/usr/bin:/bin"}};
  command.working_dir = "/tmp";
  return command;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[256];
  pollfd wait{fd, POLLIN, 0};
  while (poll(&wait, 1, 5000) > 0) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

void wait_end(const Child& child) {
  pollfd wait{child.pidfd, POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, 10'000), 1);
}

TEST(Process, RunsInItsOwnGroupWithItsOwnEnvironment) {
  const auto child = spawn(shell("echo $$ $(ps -o pgid= -p $$); echo \"$HOME|$PWD\"; echo err >&2; exit 3"));
  ASSERT_TRUE(child.has_value()) << describe(child.error());
  const std::string pid = std::to_string(child->pid);
  EXPECT_EQ(read_all(child->out), pid + " " + pid + "\n|/tmp\n");
  EXPECT_EQ(read_all(child->err), "err\n");
  wait_end(*child);
  EXPECT_EQ(collect(*child).code, 3);
}

TEST(Process, TheGroupEndsWithItsLeader) {
  const auto child = spawn(shell("sleep 600 & echo $!; exit 0"));
  ASSERT_TRUE(child.has_value());
  char buffer[32]{};
  pollfd wait{child->out, POLLIN, 0};
  poll(&wait, 1, 5000);
  ASSERT_GT(read(child->out, buffer, sizeof buffer - 1), 0);
  const pid_t left = std::atoi(buffer);
  wait_end(*child);
  collect(*child);
  // Gone, or a zombie that its new parent has not collected.
  const auto ended = [&] {
    const std::string state = content("/proc/" + std::to_string(left) + "/stat");
    return state.empty() || state.find(") Z ") != std::string::npos;
  };
  for (int i = 0; i < 500 && !ended(); ++i) usleep(2000);
  EXPECT_TRUE(ended());
}

TEST(Process, SeesWhatOutlivesItsLeader) {
  const auto child = spawn(shell("sleep 600 & exit 0"));
  ASSERT_TRUE(child.has_value());
  wait_end(*child);
  EXPECT_TRUE(group_lives_on(*child));
  signal_group(*child, SIGKILL);
  for (int i = 0; i < 500 && group_lives_on(*child); ++i) usleep(2000);
  EXPECT_FALSE(group_lives_on(*child)) << "zombies are no life";
  collect(*child);
}

TEST(Process, TellsASignalFromAnEnd) {
  for (const bool handles : {false, true}) {
    const auto child = spawn(shell(handles ? "trap 'exit 0' TERM; echo; while :; do sleep 0.05; done"
                                           : "echo; while :; do sleep 0.05; done"));
    ASSERT_TRUE(child.has_value());
    pollfd begun{child->out, POLLIN, 0};
    poll(&begun, 1, 5000);
    signal_group(*child, SIGTERM);
    wait_end(*child);
    EXPECT_EQ(was_ended_by(*child, SIGTERM), !handles);
    collect(*child);
  }
}

TEST(Process, SaysWhyItCannotStart) {
  Command command = shell("true");
  command.argv = {"no-such-program-here"};
  EXPECT_EQ(spawn(command).error().code, Code::kNotFound);
  command = shell("true");
  command.working_dir = "/no/such/place";
  EXPECT_NE(spawn(command).error().message.find("/no/such/place"), std::string::npos);
  command.argv.clear();
  EXPECT_EQ(spawn(command).error().code, Code::kInvalid);
}

TEST(Sweep, EndsMarkedProcessesAndNoOthers) {
  const Folder folder;
  const fs::path started = folder.path / "started";
  Command marked = shell("setsid sleep 600 & : > '" + started.string() + "'; exec sleep 600");
  marked.environment[kHomeVariable] = folder.path.string();
  Command free = shell("exec sleep 600");
  free.environment[kHomeVariable] = folder.path.string() + "/other";
  const auto one = spawn(marked);
  const auto two = spawn(free);
  ASSERT_TRUE(one && two);
  fs::create_directories(folder.path / "pods/p/c");
  write_pid_file(folder.path / "pods/p/c", *one);
  // Swept earlier, the shell would end before it has a child to leave behind.
  for (int i = 0; i < 2500 && !fs::exists(started); ++i) usleep(2000);
  std::size_t ended = 0;
  for (int i = 0; i < 100 && ended < 2; ++i) ended += sweep_leftovers(folder.path);
  EXPECT_GE(ended, 2u);
  wait_end(*one);
  EXPECT_EQ(collect(*one).signal, SIGKILL);
  EXPECT_NE(start_time_of(two->pid), 0u);
  EXPECT_FALSE(fs::exists(folder.path / "pods/p/c/pid"));
  signal_group(*two, SIGKILL);
  wait_end(*two);
  collect(*two);
}

TEST(Ports, FindsWildcardListenersInTheKernelsTable) {
  const auto found = wildcard_sockets_in(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 "
      "100\n"
      "   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 "
      "100\n"
      "   2: 00000000:1F92 0100007F:0001 01 00000000:00000000 00:00000000 00000000     0        0 4244 1 0 "
      "100\n"
      "garbage\n");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].port, 8080);
  EXPECT_EQ(found[0].inode, 4242u);
}

TEST(Prober, ReadsStatusLines) {
  EXPECT_EQ(status_of_line("HTTP/1.1 200 OK"), 200);
  EXPECT_EQ(status_of_line("HTTP/1.0 503"), 503);
  EXPECT_EQ(status_of_line("HTTP/1.1 2x0 OK"), 0);
  EXPECT_EQ(status_of_line("SSH-2.0-OpenSSH"), 0);
  EXPECT_EQ(status_of_line(""), 0);
}

TEST(Prober, KnowsWhenAnAnswerIsOver) {
  EXPECT_FALSE(is_whole_answer("HTTP/1.1 200 OK\r\nContent-Le"));
  EXPECT_FALSE(is_whole_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"));
  EXPECT_TRUE(is_whole_answer("HTTP/1.1 200 OK\r\ncontent-length:  2 \r\n\r\nok"));
  EXPECT_TRUE(is_whole_answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(is_whole_answer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok"));
  EXPECT_FALSE(is_whole_answer("HTTP/1.1 200 OK\r\n\r\nok"));
  EXPECT_TRUE(is_whole_answer("HTTP/1.1 204 No Content\r\n\r\n"));
  EXPECT_FALSE(is_whole_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"));
  EXPECT_TRUE(is_whole_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
}

// One connection: a handshake, a request, an answer; then it stays open as long as the other side has it so.
net::Task<void> serve_once(net::Loop& loop, net::Listener& listener, const net::TlsServer& tls,
                           std::string& heard) {
  auto stream = co_await listener.accept();
  const Result<void> shaken = co_await stream->accept_tls(tls, loop.now() + std::chrono::seconds(20));
  if (!shaken) co_return;
  char buffer[1024];
  const auto got = co_await stream->read_some(buffer, sizeof buffer);
  if (got) heard.assign(buffer, *got);
  const Result<void> sent = co_await stream->write_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  if (sent) (void)co_await stream->read_some(buffer, sizeof buffer);
}

TEST(Prober, AsksOverTlsWhoeverAnswers) {
  const auto year = std::chrono::hours(24 * 365);
  const WallTime now = std::chrono::system_clock::now();
  const net::KeyPair authority = *net::make_authority("test", now, year);
  net::TlsServerOptions serving;
  serving.entries.push_back({.certificate = *net::issue_server(authority, {"elsewhere.test"}, now, year)});
  const auto tls = *net::TlsServer::make(serving);
  net::Loop loop;
  auto listener = *net::Listener::bind(loop, *net::Address::parse("127.0.0.1:0"));
  ProbePlan plan;
  plan.kind = ProbeKind::kHttp;
  plan.secure = true;
  plan.port = listener.address().port();
  plan.path = "/health";
  plan.timeout = std::chrono::seconds(20);
  std::string heard;
  ProbeResult result;
  const auto began = std::chrono::steady_clock::now();
  net::TaskGroup tasks;
  tasks.spawn(serve_once(loop, listener, *tls, heard));
  tasks.spawn([](net::Loop& on, const ProbePlan& what, ProbeResult& into) -> net::Task<void> {
    into = co_await probe_network(on, what, "127.0.0.1");
  }(loop, plan, result));
  tasks.spawn([](net::Loop& on, net::TaskGroup& all) -> net::Task<void> {
    while (all.running() > 1) co_await net::Alarm(on).after(std::chrono::milliseconds(5));
    on.stop();
  }(loop, tasks));
  loop.run();
  EXPECT_TRUE(result.success) << result.message;
  EXPECT_TRUE(heard.starts_with("GET /health HTTP/1.1\r\n")) << heard;
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15)) << "nobody waits for the end";
}

TEST(Volumes, WriteConfigMapsAndRefuseToLeaveTheFolder) {
  const Folder folder;
  PodPlan pod;
  resource::Volume volume;
  volume.name = "config";
  volume.source = resource::Volume::Source::kConfigMap;
  volume.ref = "adapters";
  pod.volumes = {volume};
  resource::Container container;
  container.mounts = {{"config", "/etc/adapters", "", false}};
  const DataLookup lookup = [](bool, const std::string&) -> std::optional<Variables> {
    return Variables{{"list.yaml", "a: 1"}, {"../escape", "x"}};
  };
  const auto mounts = prepare_volumes(pod, container, folder.path, nullptr, lookup);
  ASSERT_TRUE(mounts.has_value()) << describe(mounts.error());
  EXPECT_EQ(content(fs::path(mounts->at("/etc/adapters")) / "list.yaml"), "a: 1");
  EXPECT_FALSE(fs::exists(folder.path / "volumes/escape"));
}

TEST(PodStatus, SpeaksAsKubeletsDo) {
  PodPlan plan;
  plan.key = {"default", "p"};
  ContainerPlan container;
  container.spec.name = "engine";
  container.spec.image = "vllm";
  plan.containers = {container};
  Lifecycle life(plan, {ImageChoice{RunAs::kEngine, ""}});
  const Now now{TimePoint{}, WallTime{} + std::chrono::seconds(1'800'000'000)};
  const PodReport report{&life, "127.64.0.1", "127.0.0.1", now.wall, {""}, {}};
  resource::Json before = resource::Json::object();
  resource::Json status = pod_status(report, before, now.wall);
  EXPECT_EQ(status["phase"], "Pending");
  EXPECT_EQ(status["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
  before["status"] = status;
  EXPECT_EQ(resource::text(*resource::condition(before, "Ready"), "message"),
            "containers with unready status: [engine]");
  life.due(now);
  life.started(0, now);
  const WallTime later = now.wall + std::chrono::seconds(5);
  status = pod_status(report, before, later);
  before["status"] = status;
  EXPECT_EQ(status["phase"], "Running");
  EXPECT_EQ(status["podIP"], "127.64.0.1");
  EXPECT_TRUE(resource::condition_is_true(before, "Ready"));
  EXPECT_EQ(resource::text(*resource::condition(before, "Ready"), "lastTransitionTime"), rfc3339(later));
  EXPECT_EQ(resource::text(*resource::condition(before, "PodScheduled"), "lastTransitionTime"),
            rfc3339(now.wall));
}

}  // namespace
}  // namespace tidegate::machine
