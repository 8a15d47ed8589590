#include "engine/chat/template.h"

#include <gtest/gtest.h>

namespace tidegate::chat {
namespace {

batch::ChatPrompt conversation() {
  batch::ChatPrompt prompt;
  prompt.messages = {{"system", "Be brief."}, {"user", "Hi <é>"}};
  prompt.messages_json =
      R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Hi <é>","name":"Ann"}])";
  return prompt;
}

// The text, or "error: field message".
std::string render(std::string_view source, const batch::ChatPrompt& prompt = conversation()) {
  auto made = Template::parse(source);
  if (!made) return "error: " + describe(made.error());
  Context context;
  context.prompt = &prompt;
  context.bos_token = "<s>";
  context.eos_token = "</s>";
  context.now = WallTime{} + std::chrono::hours(24 * 365);
  auto text = made->render(context);
  return text ? *text : "error: " + describe(text.error());
}

TEST(Template, RendersChatMl) {
  EXPECT_EQ(
      render("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
             "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
             "}}{% endif %}"),
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <é><|im_end|>\n<|im_start|>assistant\n");
}

TEST(Template, RendersLlama2WithSystemMessage) {
  const char* source =
      "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = "
      "messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false "
      "%}{% endif %}"
      "{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
      "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
      "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + "
      "'\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
      "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
      "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% "
      "endfor %}";
  EXPECT_EQ(render(source), "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi <é> [/INST]");
  batch::ChatPrompt wrong;
  wrong.messages = {{"assistant", "x"}};
  EXPECT_EQ(render(source, wrong), "error: messages Conversation roles must alternate");
}

TEST(Template, BlanksAroundTagsFollowTrimAndLstripBlocks) {
  EXPECT_EQ(render("a\n  {% if true %}\nb\n  {% endif %}\nc\n"), "a\nb\nc");
  EXPECT_EQ(render("a {%- if true -%} \n b {%- endif %} c"), "ab c");
  EXPECT_EQ(render("x {{ 1 }}\ny"), "x 1\ny");
  EXPECT_EQ(render("  {{ 1 }}"), "  1");
  EXPECT_EQ(render("a\n  {#- gone #}\nb"), "ab");
  EXPECT_EQ(render("a\n  {%+ if true %}b{% endif %}"), "a\n  b");
  EXPECT_EQ(render("{% raw %}{{ x }}{% endraw %}!"), "{{ x }}!");
}

TEST(Template, ExpressionsFollowPython) {
  EXPECT_EQ(render("{{ 1 + 2 * 3 ** 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 1.0 }}"),
            "19 3 -4 2 3.5 1.0");
  EXPECT_EQ(render("{{ 1 ~ 'a' ~ none ~ true }}"), "1aNoneTrue");
  EXPECT_EQ(render("{{ 'a' if false else 'b' }}{{ 'x' if false }}"), "b");
  EXPECT_EQ(render("{{ not 1 == 2 and 'y' or 'n' }}"), "y");
  EXPECT_EQ(render("{{ 2 in [1, 2] }} {{ 'b' not in 'abc' }} {{ 'role' in messages[0] }}"),
            "True False True");
  EXPECT_EQ(render("{{ 'abcd'[1:3] }} {{ 'abcd'[::-1] }} {{ 'abcd'[-1] }} {{ [1,2,3][:-1] }} {{ 'é€'[1] }}"),
            "bc dcba d [1, 2] €");
  EXPECT_EQ(render("{{ {'a': [1, 'x', none]}  }} {{ (1,) }}"), "{'a': [1, 'x', None]} (1,)");
  EXPECT_EQ(render("{{ 'a' 'b' }}{{ \"q\\\"\\n\" }}"), "abq\"\n");
  EXPECT_EQ(render("{{ 1 < 2 }} {{ 'a' < 'b' }} {{ 2 >= 3 }}"), "True True False");
}

TEST(Template, FiltersTestsAndMethods) {
  EXPECT_EQ(render("{{ ' a ' | trim }}|{{ 'aB' | upper }}|{{ 'aB' | lower }}|{{ [1,2] | join(', ') }}|{{ "
                   "'abc' | length }}"),
            "a|AB|ab|1, 2|3");
  EXPECT_EQ(render("{{ x | default('d') }} {{ '' | default('d', true) }} {{ none | default('d') }}"),
            "d d None");
  EXPECT_EQ(
      render("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }}"),
      "['Hi <é>']");
  EXPECT_EQ(render("{{ {'b': 1, 'a': 'é\"'} | tojson }}"), R"({"b": 1, "a": "é\""})");
  EXPECT_EQ(render("{{ [1, {'a': []}] | tojson(indent=2) }}"), "[\n  1,\n  {\n    \"a\": []\n  }\n]");
  EXPECT_EQ(render("{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %}"), "a=1");
  EXPECT_EQ(render("{% for k, v in {'a': 1} | items %}{{ k }}={{ v }}{% endfor %}"), "a=1");
  EXPECT_EQ(render("{{ 'a,b'.split(',')[-1] }} {{ ' x y '.split() }} {{ 'abc'.startswith('ab') }} {{ "
                   "'xax'.strip('x') }}"),
            "b ['x', 'y'] True a");
  EXPECT_EQ(
      render("{{ x is defined }} {{ messages is iterable }} {{ messages[0] is mapping }} {{ 'a' is string }} "
             "{{ none is none }} {{ 1 is not string }} {{ 3 is divisibleby 3 }} {{ tools is none }}"),
      "False True True True True True True True");
  EXPECT_EQ(
      render("{{ messages[0].get('x', 'y') }} {{ messages[1].name }} {{ messages[0].name is undefined }}"),
      "y Ann True");
}

TEST(Template, LoopsScopesNamespacesAndMacros) {
  EXPECT_EQ(
      render(
          "{% for i in range(5) if i != 2 %}{{ loop.index }}:{{ i }}{{ ',' if not loop.last }}{% endfor %}"),
      "1:0,2:1,3:3,4:4");
  EXPECT_EQ(render("{% for i in [] %}x{% else %}none{% endfor %}"), "none");
  EXPECT_EQ(render("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}"), "1");
  EXPECT_EQ(render("{% if true %}{% set x = 2 %}{% endif %}{{ x }}"), "2");
  EXPECT_EQ(
      render(
          "{% set ns = namespace(n=0) %}{% for i in [1,2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"),
      "3");
  EXPECT_EQ(render("{% macro f(a, b='z') %}<{{ a }}{{ b }}>{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}"),
            "<1z><12>");
  EXPECT_EQ(render("{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break "
                   "%}{% endif %}{{ i }}"
                   "{% endfor %}"),
            "02");
  EXPECT_EQ(render("{% set x %}a{{ 1 }}{% endset %}{{ x | upper }}"), "A1");
  EXPECT_EQ(render("{% filter upper %}ab{% endfilter %}{% generation %}c{% endgeneration %}"), "ABc");
  EXPECT_EQ(render("{% for a in 'xy' %}{{ loop.cycle('1', '2') }}{% endfor %}{{ strftime_now('%d %b %Y') }}"),
            "1201 Jan 1971");
}

TEST(Template, ToolCallsAreOpenedAndKwargsSeen) {
  batch::ChatPrompt prompt;
  prompt.messages = {{"assistant", ""}};
  prompt.messages_json =
      R"([{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{\"a\": 1}"}}]}])";
  prompt.tools_json = R"([{"type":"function"}])";
  prompt.kwargs_json = R"({"enable_thinking": false})";
  EXPECT_EQ(render("{{ messages[0].content is none }} {{ messages[0].tool_calls[0].function.arguments.a }} "
                   "{{ tools[0].type }} "
                   "{{ enable_thinking is defined and enable_thinking is false }}",
                   prompt),
            "True 1 function True");
}

TEST(Template, ContinuesTheFinalMessage) {
  batch::ChatPrompt prompt;
  prompt.messages = {{"user", "q"}, {"assistant", "It is "}};
  prompt.continue_final_message = true;
  EXPECT_EQ(render("{% for m in messages %}<{{ m.content }}>{% endfor %}", prompt), "<q><It is");
}

TEST(Template, ErrorsNameTheLineAndEveryRunEnds) {
  EXPECT_EQ(render("a\n{% if %}"), "error: chat_template expected a value in line 2");
  EXPECT_EQ(render("{{ x.y }}"), "error: chat_template 'x' is undefined, so it has no 'y' (line 1)");
  EXPECT_EQ(render("{% include 'x' %}"),
            "error: chat_template the block 'include' is not supported in line 1");
  EXPECT_EQ(render("{{ 'unclosed }}"), "error: chat_template a string is not closed in line 1");
  EXPECT_EQ(render("{% for i in range(100000000) %}{% endfor %}"),
            "error: chat_template runs too long (line 1)");
  EXPECT_EQ(
      render("{% for i in range(3000) %}{% for j in range(3000) %}{% endfor %}{% endfor %}").substr(0, 36),
      "error: chat_template runs too long (");
  EXPECT_EQ(render("{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x "
                   "%}{% endfor %}"),
            "error: chat_template builds too much text (line 1)");
  EXPECT_EQ(
      render("{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}"),
      "error: chat_template nests values too deeply");
  EXPECT_EQ(render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
            "error: chat_template nests too deeply (line 1)");
  EXPECT_EQ(render("{{ " + std::string(5000, '(') + " }}").substr(0, 40),
            "error: chat_template nesting is too deep");
  EXPECT_EQ(render("{{ 1" + std::string(20000, '+') + "1 }}").substr(0, 20), "error: chat_template");
  std::string sum = "{{ 1";
  for (int i = 0; i < 7000; ++i) sum += "+1";
  EXPECT_EQ(render(sum + " }}"), "error: chat_template nests too deeply (line 1)");
  EXPECT_EQ(render("{{ 1 // 0 }}"), "error: chat_template divides by zero (line 1)");
}

}  // namespace
}  // namespace tidegate::chat
