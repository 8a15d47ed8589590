#include "engine/weights/safetensors.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "engine/weights/checkpoint.h"
#include "engine/weights/testing/write_safetensors.h"

namespace tidegate::weights {
namespace {

std::span<const std::byte> span_of(const std::string& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

std::string error_of(const std::string& header, std::size_t data_bytes = 0) {
  const std::string file = testing::safetensors_bytes(header, std::string(data_bytes, 'x'));
  const auto parsed = parse_safetensors(span_of(file));
  return parsed ? "accepted" : describe(parsed.error());
}

TEST(Safetensors, ReadsTensorsInOrderOfTheirPlace) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"none":{"dtype":"I64","shape":[0,5],"data_offsets":[16,16]}}   )";
  const std::string file = testing::safetensors_bytes(header, std::string(16, 'x'));
  const auto parsed = parse_safetensors(span_of(file));
  ASSERT_TRUE(parsed) << describe(parsed.error());
  ASSERT_EQ(parsed->tensors.size(), 3u);
  EXPECT_EQ(parsed->tensors[0].name, "a");
  EXPECT_EQ(parsed->tensors[1].shape, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(parsed->tensors[1].dtype, DType::kBf16);
  EXPECT_EQ(parsed->metadata.at(0).second, "pt");
  EXPECT_EQ(parsed->data_begin, 8 + header.size());
}

TEST(Safetensors, RefusesWhatTheFormatForbids) {
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
            "a does not begin where the tensor before it ends (byte 0)");
  EXPECT_EQ(
      error_of(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          8),
      "b does not begin where the tensor before it ends (byte 8)");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
            "a has a range that does not fit its shape and type");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[18446744073709551615,4],"data_offsets":[0,8]}})", 8),
            "a has a range that does not fit its shape and type");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3),
            "has 3 bytes of data, but the header describes 4; the file may be cut or half downloaded");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5).substr(0, 22),
            "has 5 bytes of data, b");
  EXPECT_EQ(
      error_of(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})",
          4),
      "a is named twice");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})", 4),
            R"(a has dtype "F4", which is not supported)");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4),
            R"(a has an unknown field "x")");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
            R"(a has the field "dtype" twice)");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "a lacks dtype, shape or data_offsets");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
            "a holds a negative number");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4), "a holds a fraction");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4),
            "a holds a list in a list");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4),
            "a has data_offsets that are no pair");
  EXPECT_EQ(error_of(R"({"a":{"dtype":"F32","shape":3,"data_offsets":[0,4]}})", 4),
            "a holds a number where none belongs");
  EXPECT_EQ(error_of(R"({"a":[1]})"), "a holds a list where none belongs");
  EXPECT_EQ(error_of(R"({"__metadata__":{"a":1}})"), "__metadata__ holds a number where none belongs");
  EXPECT_EQ(error_of(R"([1])"), "has a header that does not begin with '{'");
  EXPECT_EQ(error_of("{\"a\xFF\":{}}").substr(0, 24), "header is no valid JSON ");
  EXPECT_EQ(error_of(R"({} x)").substr(0, 24), "header is no valid JSON ");
  EXPECT_EQ(error_of("{}"), "accepted");
}

TEST(Safetensors, RefusesLengthsThatLie) {
  const auto refused = [](std::string bytes) { return !parse_safetensors(span_of(bytes)); };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("1234567"));
  EXPECT_TRUE(refused(std::string(8, '\xFF') + "{}"));
  std::string cut = testing::safetensors_bytes("{}", "");
  cut.pop_back();
  EXPECT_TRUE(refused(cut));
}

// Every file with one byte changed is read or refused, never more.
TEST(Safetensors, SurvivesChangedBytes) {
  Random random(9);
  const std::string good = testing::safetensors_bytes(
      {{"a", testing::f32_tensor({2, 2}, {1, 2, 3, 4})}, {"b", testing::f32_tensor({3}, {5, 6, 7})}});
  ASSERT_TRUE(parse_safetensors(span_of(good)));
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    bad[random.below(bad.size())] = static_cast<char>(random.next());
    (void)parse_safetensors(span_of(bad));
  }
}

TEST(Checkpoint, ReadsShardsAndRefusesWhatIsMissing) {
  const std::string folder = ::testing::TempDir() + "/tidegate_shards";
  (void)::system(("mkdir -p " + folder).c_str());
  testing::write_file(folder + "/x-1.safetensors",
                      testing::safetensors_bytes({{"a", testing::f32_tensor({1}, {1})}}));
  testing::write_file(folder + "/x-2.safetensors",
                      testing::safetensors_bytes({{"b", testing::f32_tensor({1}, {2})}}));
  const std::string index = folder + "/model.safetensors.index.json";
  testing::write_file(index, R"({"weight_map":{"a":"x-1.safetensors","b":"x-2.safetensors"}})");
  const auto both = Checkpoint::open(folder);
  ASSERT_TRUE(both) << describe(both.error());
  EXPECT_TRUE(both->find("a") && both->find("b"));
  EXPECT_EQ(both->bytes(), 8u);
  testing::write_file(index, R"({"weight_map":{"a":"x-1.safetensors","c":"x-2.safetensors"}})");
  EXPECT_EQ(Checkpoint::open(folder).error().message, "lacks the tensor c, which the index places there");
  testing::write_file(index, R"({"weight_map":{"a":"../x-1.safetensors"}})");
  EXPECT_EQ(Checkpoint::open(folder).error().code, Code::kInvalid);
  EXPECT_EQ(Checkpoint::open("/nowhere").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace tidegate::weights
