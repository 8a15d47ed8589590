#include "simulate/trace.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdio>
#include <fstream>

namespace tidegate::simulate {
namespace {

std::string file(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + "trace_test_" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string error_of(const std::string& name, const std::string& text) {
  const auto read = read_trace(file(name, text));
  if (read) return "none";
  return describe(read.error()).substr(::testing::TempDir().size());
}

TEST(Trace, ReadsColumnsByNameInAnyOrder) {
  const auto read =
      read_trace(file("a.csv", "client,out_tokens,t_s,in_tokens\r\nx,5,100.5,10\r\ny,0,102,7\r\n"));
  ASSERT_TRUE(read) << describe(read.error());
  ASSERT_EQ(read->arrivals.size(), 2U);
  EXPECT_EQ(read->arrivals[0].at, Duration(0));
  EXPECT_EQ(read->arrivals[1].at, std::chrono::milliseconds(1500));
  EXPECT_EQ(read->arrivals[0].prompt, 10U);
  EXPECT_EQ(read->arrivals[0].answer, 5U);
  EXPECT_EQ(read->arrivals[1].answer, 1U) << "an answer has a token at least";
}

TEST(Trace, ReadsDatesAsAzureWritesThem) {
  const auto read =
      read_trace(file("azure.csv",
                      "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                      "2023-11-16 23:59:59.5000000,374,44\n2023-11-17 00:00:01.0000000,396,109\n"));
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(read->arrivals[1].at, std::chrono::milliseconds(1500));
}

TEST(Trace, ReadsJsonLinesWithContentAndSorts) {
  const auto read =
      read_trace(file("m.jsonl",
                      "{\"timestamp\":3000,\"input_length\":600,\"output_length\":2,\"hash_ids\":[0,7]}\n"
                      "{\"timestamp\":1000,\"input_length\":9,\"output_length\":3,\"hash_ids\":[5]}\n"));
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(read->arrivals[0].prompt, 9U);
  EXPECT_EQ(read->arrivals[1].at, std::chrono::seconds(2));
  EXPECT_EQ(read->content, (std::vector<ContentId>{0, 7, 5}));
  EXPECT_EQ(read->arrivals[1].content_begin, 0U);
  EXPECT_EQ(read->arrivals[1].content_count, 2U);
}

TEST(Trace, ReadsGzippedFilesAndTellsWhenTheyAreCutShort) {
  const std::string path = ::testing::TempDir() + "trace_test_z.csv.gz";
  std::string text = "t_s,in_tokens,out_tokens\n";
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i) + "," + std::to_string(i * 7 % 991) + ",2\n";
  const gzFile out = gzopen(path.c_str(), "wb");
  gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
  gzclose(out);
  const auto read = read_trace(path);
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(read->arrivals.size(), 20'000U);

  std::ifstream in(path, std::ios::binary);
  std::string packed((std::istreambuf_iterator<char>(in)), {});
  const std::string error = error_of("cut.csv.gz", packed.substr(0, packed.size() / 2));
  EXPECT_NE(error.find("it is cut short"), std::string::npos) << error;
}

TEST(Trace, NamesFileAndLineOfWhatIsWrong) {
  EXPECT_EQ(error_of("1.csv", "t_s,in_tokens,out_tokens\n1,2,3\n1,x,3\n"),
            "trace_test_1.csv:3 prompt is \"x\"; use a whole number of tokens up to 10000000");
  EXPECT_EQ(error_of("2.csv", "t_s,in_tokens,out_tokens\n1,2\n"),
            "trace_test_2.csv:2 has 2 columns where the header names 3 or more");
  EXPECT_EQ(error_of("3.csv", "t_s,in_tokens,out_tokens\nnoon,2,3\n"),
            "trace_test_3.csv:2 time is \"noon\"; use seconds or a date like 2023-11-16 18:15:46.68");
  EXPECT_EQ(
      error_of("4.csv", "t_s,in_tokens\n1,2\n"),
      "trace_test_4.csv:1 has no column out_tokens (or GeneratedTokens, output_length, completion_tokens); "
      "a trace begins with a header that names them");
  EXPECT_EQ(error_of("5.csv", ""), "trace_test_5.csv holds no requests");
  EXPECT_EQ(error_of("6.jsonl", "{\"timestamp\":1,\"input_length\":-4,\"output_length\":1}\n"),
            "trace_test_6.jsonl:1 has no \"input_length\" that is a whole number of tokens up to 10000000");
  EXPECT_EQ(error_of("7.jsonl", "{\"timestamp\":1,\n"),
            "trace_test_7.jsonl:1 is not a JSON object on one line");
  EXPECT_EQ(error_of("8.csv", std::string(2 << 20, 'x')),
            "trace_test_8.csv:1 is longer than 1 MiB; is this a trace?");
  EXPECT_EQ(error_of("9.csv", "t_s,in_tokens,out_tokens\n0,1,1\n2e9,1,1\n"),
            "trace_test_9.csv spans more than thirty years; are its times in seconds?");
  const auto gone = read_trace("/nowhere/at.all");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kNotFound);
  EXPECT_FALSE(read_trace(::testing::TempDir())) << "a folder";
}

}  // namespace
}  // namespace tidegate::simulate
