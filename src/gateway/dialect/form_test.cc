#include "gateway/dialect/form.h"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::dialect {
namespace {

constexpr char kType[] = "multipart/form-data; boundary=xyz";

std::string part(const std::string& disposition, const std::string& value) {
  return "--xyz\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n";
}

const std::string kFile =
    "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
    "Content-Type: audio/wav\r\n\r\nRIFF\r\n--xy\r\n\0binary\r\n";

TEST(Form, FindsTheModelBesideAFile) {
  const std::string body =
      kFile + part("name=\"model\"", "whisper") + part("name=\"stream\"", "true") + "--xyz--\r\n";
  const auto facts = read_form(kType, body);
  ASSERT_TRUE(facts.has_value()) << facts.error().message;
  EXPECT_EQ(facts->model, "whisper");
  EXPECT_EQ(facts->model_token.of(body), "whisper");
  EXPECT_TRUE(facts->streams());
}

TEST(Form, BoundariesMayBeQuotedAndTheModelMissing) {
  const auto facts = read_form("Multipart/Form-Data; charset=utf-8; boundary=\"xyz\"", kFile + "--xyz--");
  ASSERT_TRUE(facts.has_value());
  EXPECT_FALSE(facts->has_model);
  EXPECT_TRUE(read_form(kType, "--xyz--\r\n").has_value());
}

TEST(Form, WhatOthersMayReadDifferentlyIsRefused) {
  const std::string model = part("name=\"model\"", "a");
  const std::string end = "--xyz--\r\n";
  const std::string refused[] = {
      "",
      "\r\n" + model + end,
      "preamble\r\n" + model + end,
      model,
      model + model + end,
      model + "--xyz -\r\n",
      part("name=\"mod\\el\"", "a") + end,
      part("name*=utf-8''model", "a") + end,
      part("name=\"%6dodel\"", "a") + end,
      part("name=\"model\"; name=\"x\"", "a") + end,
      part("name=\"model\"; filename=\"x\"", "a") + end,
      part("name=\"model\"", "") + end,
      part("name=\"model\"", "a\nb") + end,
      part("name=\"model\"", std::string(kModelBytesMax + 1, 'a')) + end,
      part("nothing", "a") + end,
      "--xyz\r\n\r\nvalue\r\n" + end,
      "--xyz\nContent-Disposition: form-data; name=\"model\"\n\na\n--xyz--\n",
      "--xyz\r\nContent-Disposition: form-data;\r\n name=\"model\"\r\n\r\na\r\n" + end,
      "--xyz\r\nContent-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; "
      "name=\"model\"\r\n\r\na\r\n" +
          end,
  };
  for (const std::string& body : refused) EXPECT_FALSE(read_form(kType, body).has_value()) << body;
  EXPECT_FALSE(read_form("multipart/form-data", model + end).has_value());
  EXPECT_FALSE(read_form("multipart/form-data; boundary=xyz; boundary=abc", model + end).has_value());
  EXPECT_FALSE(read_form("multipart/form-data; boundary=\"x\ny\"", model + end).has_value());
}

TEST(Form, ContentTypes) {
  EXPECT_TRUE(is_form("multipart/form-data; boundary=x"));
  EXPECT_TRUE(is_form("MULTIPART/FORM-DATA"));
  EXPECT_FALSE(is_form("multipart/form-data-x"));
  EXPECT_FALSE(is_form("application/json"));
}

}  // namespace
}  // namespace tidegate::dialect
