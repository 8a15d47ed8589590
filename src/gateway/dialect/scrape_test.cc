#include "gateway/dialect/scrape.h"

#include <gtest/gtest.h>

namespace tidegate::dialect {
namespace {

EngineState read(std::string_view page) {
  EngineState state;
  state.running_adapters = {"left over"};
  state.waiting = 99;
  read_metrics(page, state);
  return state;
}

TEST(Scrape, ReadsVllmV1) {
  const EngineState state = read(
      "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
      "# TYPE vllm:num_requests_running gauge\n"
      "vllm:num_requests_running{engine=\"0\",model_name=\"base\"} 3.0\n"
      "vllm:num_requests_waiting{engine=\"0\",model_name=\"base\"} 5.0\n"
      "vllm:num_requests_waiting_by_reason{engine=\"0\",reason=\"capacity\"} 50.0\n"
      "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"base\"} 0.25\n"
      "vllm:cache_config_info{block_size=\"16\",cache_dtype=\"auto\",num_gpu_blocks=\"7000\"} 1.0\n"
      "vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"a, b,,\",waiting_lora_adapters=\"c\"} "
      "1.7e+09\n");
  EXPECT_DOUBLE_EQ(state.running, 3);
  EXPECT_DOUBLE_EQ(state.waiting, 5);
  EXPECT_DOUBLE_EQ(state.kv_usage, 0.25);
  EXPECT_TRUE(state.has_running && state.has_waiting && state.has_kv && state.has_lora && state.any());
  EXPECT_EQ(state.max_lora, 4U);
  EXPECT_EQ(state.running_adapters, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(state.waiting_adapters, (std::vector<std::string>{"c"}));
  EXPECT_EQ(state.num_gpu_blocks, 7000U);
  EXPECT_EQ(state.block_size, 16U);
}

TEST(Scrape, ReadsVllmV0) {
  const EngineState state = read(
      "vllm:num_requests_running{model_name=\"m\"} 1.0\n"
      "vllm:num_requests_swapped{model_name=\"m\"} 9.0\n"
      "vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n"
      "vllm:cpu_cache_usage_perc{model_name=\"m\"} 0.9");
  EXPECT_DOUBLE_EQ(state.running, 1);
  EXPECT_DOUBLE_EQ(state.kv_usage, 0.5);
  EXPECT_FALSE(state.has_waiting);
  EXPECT_TRUE(state.running_adapters.empty());
}

TEST(Scrape, DataParallelEnginesAreSummedAndTheFullestCacheCounts) {
  const EngineState state = read(
      "vllm:num_requests_waiting{engine=\"0\"} 2\nvllm:num_requests_waiting{engine=\"1\"} 3\n"
      "vllm:kv_cache_usage_perc{engine=\"0\"} 0.9\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.1\n"
      "vllm:cache_config_info{num_gpu_blocks=\"10\"} 1\nvllm:cache_config_info{num_gpu_blocks=\"None\"} 1\n"
      "vllm:cache_config_info{num_gpu_blocks=\"5\"} 1\n");
  EXPECT_DOUBLE_EQ(state.waiting, 5);
  EXPECT_DOUBLE_EQ(state.kv_usage, 0.9);
  EXPECT_EQ(state.num_gpu_blocks, 15U);
}

TEST(Scrape, TheNewestLoraSeriesWins) {
  const EngineState state = read(
      "vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"old\",waiting_lora_adapters=\"\"} "
      "1.7e9\n"
      "vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"new\",waiting_lora_adapters=\"\"} "
      "1.700000001e9\n"
      "vllm:lora_requests_info{max_lora=\"4\",running_lora_adapters=\"older\",waiting_lora_adapters=\"\"} "
      "1.6e9\n");
  EXPECT_EQ(state.running_adapters, (std::vector<std::string>{"new"}));
}

TEST(Scrape, LabelsMayHoldAnything) {
  const EngineState state = read(
      "vllm:num_requests_running{model_name=\"a}\\\" 7\\\\\",x=\"{\"} 2 1700000000000\n"
      "vllm:lora_requests_info{running_lora_adapters=\"x}y\",max_lora=\"2\",waiting_lora_adapters=\"\"} 1\n");
  EXPECT_DOUBLE_EQ(state.running, 2);
  EXPECT_EQ(state.running_adapters, (std::vector<std::string>{"x}y"}));
}

TEST(Scrape, BrokenLinesAreAsIfAbsent) {
  for (const char* page :
       {"", "\n\n", "vllm:", "vllm:num_requests_running", "vllm:num_requests_running ",
        "vllm:num_requests_running{", "vllm:num_requests_running{a=\"", "vllm:num_requests_running{a=\"x\\",
        "vllm:num_requests_running{} NaN", "vllm:num_requests_running{a} 1", "vllm:num_requests_running +Inf",
        "vllm:num_requests_running{a=\"b\" 1", "num_requests_running 1", "<html>"}) {
    EXPECT_FALSE(read(page).any()) << page;
  }
  EXPECT_DOUBLE_EQ(read("vllm:num_requests_running -1\n").running, 0);
  EXPECT_DOUBLE_EQ(read("vllm:kv_cache_usage_perc 7\n").kv_usage, 1);
}

TEST(Scrape, OtherEnginesSayTheSameInOtherWords) {
  EngineState state;
  read_metrics(
      "# HELP sglang:num_queue_reqs The number of requests in the waiting queue.\n"
      "sglang:num_queue_reqs{model_name=\"m\",tp_rank=\"0\"} 4.0\nsglang:num_running_reqs{model_name=\"m\"} "
      "7\n"
      "sglang:token_usage{model_name=\"m\"} 0.28\nsglang:num_used_tokens{model_name=\"m\"} 123\n"
      "sglang:cache_config_info{page_size=\"16\",num_pages=\"2048\"} 1\n"
      "sglang:generation_tokens_total{model_name=\"m\"} 1000\n",
      state);
  EXPECT_EQ(state.engine, Engine::kSglang);
  EXPECT_EQ(state.waiting, 4);
  EXPECT_EQ(state.running, 7);
  EXPECT_DOUBLE_EQ(state.kv_usage, 0.28);
  EXPECT_EQ(state.num_gpu_blocks * state.block_size, 32768U);
  EXPECT_EQ(state.tokens, 1000);

  read_metrics(
      "llamacpp:prompt_tokens_total 100\nllamacpp:tokens_predicted_total 11\nllamacpp:requests_processing 2\n"
      "llamacpp:requests_deferred 5\nllamacpp:n_decode_total 9\n",
      state);
  EXPECT_EQ(state.engine, Engine::kLlamaCpp);
  EXPECT_EQ(state.waiting, 5);
  EXPECT_EQ(state.running, 2);
  EXPECT_FALSE(state.has_kv);
  EXPECT_EQ(state.tokens, 111);

  read_metrics(
      "trtllm_num_requests_waiting 3\ntrtllm_num_requests_running 1\ntrtllm_kv_cache_utilization 0.5\n",
      state);
  EXPECT_EQ(state.engine, Engine::kTensorRtLlm);
  EXPECT_EQ(state.waiting, 3);
  EXPECT_TRUE(state.has_kv);

  read_metrics("node_load1 3\n", state);
  EXPECT_EQ(state.engine, Engine::kUnknown);
  EXPECT_FALSE(state.any());
}

}  // namespace
}  // namespace tidegate::dialect
