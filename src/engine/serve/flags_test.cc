#include "engine/serve/flags.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "engine/serve/flag_specs.h"

namespace tidegate::serve {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Result<Flags> parse(const std::string& line, const Variables& variables = {}) {
  std::istringstream words(line);
  const std::vector<std::string> args{std::istream_iterator<std::string>(words), {}};
  return parse_flags(args, [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

std::string refusal(const std::string& line) {
  const auto flags = parse(line);
  return flags ? "accepted" : describe(flags.error());
}

TEST(Flags, TheTutorialsCommandLine) {
  const auto flags = parse(
      "python3 -m vllm.entrypoints.openai.api_server --model /model/llama2 --tensor-parallel-size 1 --port "
      "8000 "
      "--gpu_memory_utilization 0.8 --enable-lora --max-loras 4 --max-cpu-loras 12 --trust-remote-code "
      "--lora-modules sql-lora=/a/sql tweet-summary=/a/tweet --served-model-name llama2 base --dtype half "
      "--simulate");
  ASSERT_TRUE(flags.has_value()) << describe(flags.error());
  EXPECT_EQ(flags->model, "/model/llama2");
  EXPECT_EQ(flags->served_names, (std::vector<std::string>{"llama2", "base"}));
  EXPECT_DOUBLE_EQ(flags->memory_utilization, .8);
  EXPECT_EQ(flags->loras_max, 4u);
  ASSERT_EQ(flags->lora_modules.size(), 2u);
  EXPECT_EQ(flags->lora_modules[1].path, "/a/tweet");
  ASSERT_EQ(flags->notes.size(), 1u);
  EXPECT_NE(flags->notes[0].find("--trust-remote-code"), std::string::npos);
}

TEST(Flags, VllmServeAndShortForms) {
  const auto flags = parse("/usr/bin/vllm serve Qwen/Qwen2.5-7B -tp 2 --max-model-len=8k --simulate=instant");
  ASSERT_TRUE(flags.has_value()) << describe(flags.error());
  EXPECT_EQ(flags->model, "Qwen/Qwen2.5-7B");
  EXPECT_EQ(flags->gpus, 2u);
  EXPECT_EQ(flags->context_max, 8000u);
  EXPECT_EQ(flags->simulate, "instant");
}

TEST(Flags, Switches) {
  EXPECT_FALSE(parse("--simulate --no-enable-prefix-caching")->prefix_caching);
  EXPECT_FALSE(parse("--simulate --enable_chunked_prefill false")->chunked_prefill);
  EXPECT_TRUE(parse("--simulate --enable-prefix-caching=True")->prefix_caching);
  EXPECT_EQ(refusal("--simulate --enable-lora=maybe"),
            "--enable-lora is a switch; use it alone, or with true or false");
}

TEST(Flags, UnknownFlagsNameTheNearest) {
  EXPECT_EQ(refusal("--simulate --max-model-length 5"),
            "--max-model-length is not a flag of vLLM or Tidegate; did you mean --max-model-len?");
}

TEST(Flags, RefusesWhatCannotBe) {
  EXPECT_EQ(refusal(""), "--model is missing; name a folder, or add --simulate");
  EXPECT_EQ(refusal("--simulate --port 70000"), "--port is \"70000\"; use a whole number from 0 to 65535");
  EXPECT_EQ(refusal("--simulate --port"), "--port needs a value after it");
  EXPECT_EQ(refusal("--simulate --max-num-seqs 4096").substr(0, 24), "--max-num-batched-tokens");
  EXPECT_EQ(refusal("--simulate --max-loras 8 --max-cpu-loras 4").substr(0, 15), "--max-cpu-loras");
  EXPECT_EQ(refusal("--simulate --lora-modules a=b").substr(0, 14), "--lora-modules");
  EXPECT_EQ(refusal("--simulate --enable-lora --lora-modules a").substr(0, 14), "--lora-modules");
  EXPECT_EQ(refusal("--simulate --enable-lora --lora-modules a=b a=c").substr(0, 14), "--lora-modules");
  EXPECT_EQ(refusal("--simulate --max-lora-rank 17").substr(0, 15), "--max-lora-rank");
  EXPECT_EQ(refusal("--model x --fail-rate 0.5").substr(0, 10), "--simulate");
  EXPECT_EQ(refusal("--simulate one two").substr(0, 5), "\"two\"");
}

TEST(Flags, JsonModules) {
  const std::vector<std::string> args = {"--simulate", "--enable-lora", "--lora-modules",
                                         R"({"name": "a", "path": "/p", "base_model_name": "b"})"};
  const auto flags = parse_flags(args, [](std::string_view) { return std::nullopt; });
  ASSERT_TRUE(flags.has_value());
  EXPECT_EQ(flags->lora_modules[0].base, "b");
}

TEST(Flags, TheAddressComesFromThePodAndIsNeverAWildcardThere) {
  EXPECT_EQ(parse("--simulate")->host, "127.0.0.1");
  EXPECT_EQ(parse("--simulate", {{"TIDEGATE_POD_IP", "127.3.0.9"}})->host, "127.3.0.9");
  const auto wildcard = parse("--simulate --host 0.0.0.0", {{"TIDEGATE_POD_IP", "127.3.0.9"}});
  EXPECT_EQ(wildcard->host, "127.3.0.9");
  EXPECT_EQ(wildcard->notes.size(), 1u);
  EXPECT_EQ(parse("--simulate --host 0.0.0.0")->host, "0.0.0.0") << "asked for, outside a pod";
}

TEST(Flags, APodsGraceIsTheTimeToDrain) {
  EXPECT_EQ(parse("--simulate")->drain_s, 30);
  EXPECT_EQ(parse("--simulate", {{"TIDEGATE_POD_GRACE_S", "300"}})->drain_s, 300);
  EXPECT_EQ(parse("--simulate", {{"TIDEGATE_POD_GRACE_S", "x"}})->drain_s, 30);
  EXPECT_EQ(parse("--simulate --drain-seconds 5", {{"TIDEGATE_POD_GRACE_S", "300"}})->drain_s, 5);
}

TEST(Flags, TheEnvironment) {
  const auto flags = parse("--simulate", {{"VLLM_ALLOW_RUNTIME_LORA_UPDATING", "True"},
                                          {"VLLM_SERVER_DEV_MODE", "1"},
                                          {"VLLM_API_KEY", "k"},
                                          {"PYTHONHASHSEED", "0"}});
  EXPECT_TRUE(flags->runtime_lora && flags->dev_mode);
  EXPECT_EQ(flags->api_keys, std::vector<std::string>{"k"});
  EXPECT_EQ(flags->hash_seed, "0");
}

TEST(Flags, TheTableHasEachNameOnce) {
  for (const FlagSpec& spec : flag_specs()) {
    EXPECT_EQ(find_flag(spec.name), &spec) << spec.name;
    EXPECT_EQ(spec.apply == nullptr, spec.help.empty()) << spec.name;
  }
}

TEST(FlagsEnvironment, ThreadsAndPathsOfThePod) {
  const auto parse = [](std::vector<std::string> args, std::string threads) {
    return parse_flags(args, [threads](std::string_view name) -> std::optional<std::string> {
      if (name == "OMP_NUM_THREADS") return threads;
      if (name == "TIDEGATE_PATH_MAP") return "/model=/real";
      return std::nullopt;
    });
  };
  const auto flags = parse({"--model", "/model/m"}, "3");
  ASSERT_TRUE(flags.has_value());
  EXPECT_EQ(flags->threads, 3);
  EXPECT_EQ(flags->served_names.front(), "/model/m");  // clients see what was written
  EXPECT_EQ(flags->paths.locate(flags->model), "/real/m");
  EXPECT_EQ(parse({"--model", "m", "--threads", "2"}, "3")->threads, 2);
  for (const char* nonsense : {"", "-1", "2,1", "99999"}) EXPECT_EQ(parse({"--model", "m"}, nonsense)->threads, 0);
}

}  // namespace
}  // namespace tidegate::serve
