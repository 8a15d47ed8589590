#include "engine/serve/path_map.h"

#include <gtest/gtest.h>

namespace tidegate::serve {
namespace {

TEST(PathMap, TheLongestFolderAboveDecides) {
  const PathMap map = PathMap::parse("/model=/all:/model/llama2=/demo:/adapters/=/loras");
  EXPECT_EQ(map.locate("/model/llama2"), "/demo");
  EXPECT_EQ(map.locate("/model/llama2/config.json"), "/demo/config.json");
  EXPECT_EQ(map.locate("/model/llama22"), "/all/llama22");
  EXPECT_EQ(map.locate("/adapters/sql-lora"), "/loras/sql-lora");
}

TEST(PathMap, OtherPathsStay) {
  const PathMap map = PathMap::parse("/model=/all::nonsense:=/x:/y=");
  EXPECT_EQ(map.locate("/models/llama2"), "/models/llama2");
  EXPECT_EQ(map.locate("/y"), "/y");
  EXPECT_EQ(PathMap::parse("").locate("qwen"), "qwen");
}

}  // namespace
}  // namespace tidegate::serve
