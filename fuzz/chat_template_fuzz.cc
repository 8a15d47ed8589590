// A chat template over a fixed conversation: it parses or not, renders or not, and always ends.

#include <cstdint>
#include <string_view>

#include "engine/chat/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  const auto made = chat::Template::parse({reinterpret_cast<const char*>(data), size});
  if (!made) return 0;
  batch::ChatPrompt prompt;
  prompt.messages = {{"system", "Be brief."}, {"user", "Hi\n"}, {"assistant", " ok "}};
  prompt.messages_json =
      R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Hi\n","tags":[1,2.5,null]},
      {"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":[1]}"}}]}])";
  prompt.tools_json = R"([{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";
  chat::Context context;
  context.prompt = &prompt;
  context.bos_token = "<s>";
  (void)made->render(context);
  return 0;
}
