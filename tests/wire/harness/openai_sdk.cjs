// OpenAI's Node SDK as its users call it, one scenario per run:
//
//   node openai_sdk.cjs FOLDER-WITH-NODE_MODULES BASE-URL MODEL SCENARIO
//
// Prints "held" if everything was as it should be, else fails with what was not.

const assert = require("node:assert/strict");
const { createRequire } = require("node:module");

const [folder, baseURL, model, scenario] = process.argv.slice(2);
const OpenAI = createRequire(`${folder}/`)("openai");
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "show flights" }];

const scenarios = {
  async completes() {
    const text = await client.completions.create({ model, prompt: "show", max_tokens: 5, temperature: 0 });
    assert.equal(text.object, "text_completion");
    assert.equal(typeof text.choices[0].text, "string");
    assert.ok(text.usage.completion_tokens >= 1 && text.usage.completion_tokens <= 5);
    const chat = await client.chat.completions.create({ model, messages, max_tokens: 5, logprobs: true, top_logprobs: 2 });
    assert.equal(chat.choices[0].message.role, "assistant");
    assert.ok(chat.choices[0].logprobs.content[0].top_logprobs.length >= 2);
    const several = await client.chat.completions.create({ model, messages, max_tokens: 3, n: 3, seed: 1 });
    assert.deepEqual(several.choices.map((choice) => choice.index), [0, 1, 2]);
    const ids = [];
    for await (const card of client.models.list()) ids.push(card.id);
    assert.ok(ids.includes(model), ids.join());
  },

  async streams() {
    const asked = { model, messages, max_tokens: 6, seed: 2 };
    const whole = await client.chat.completions.create(asked);
    const stream = await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });
    let text = "", usage = null, finish = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(finish, whole.choices[0].finish_reason);
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
    assert.equal(usage.prompt_tokens, whole.usage.prompt_tokens);
    const pieces = await client.completions.create({ model, prompt: "show", max_tokens: 4, stream: true });
    let count = 0;
    for await (const chunk of pieces) count += chunk.choices.length;
    assert.ok(count >= 1);
    const helper = client.chat.completions.stream(asked);
    assert.equal(await helper.finalContent(), text);
  },

  async errors() {
    const fails = async (asked, type) => {
      try {
        await client.chat.completions.create({ model, messages, max_tokens: 2, ...asked });
      } catch (error) {
        assert.ok(error instanceof type, `${error}`);
        assert.ok(error.message.length > 10);
        return error;
      }
      assert.fail(`no error for ${JSON.stringify(asked)}`);
    };
    assert.equal((await fails({ model: "nobody" }, OpenAI.NotFoundError)).status, 404);
    assert.match((await fails({ temperature: -1 }, OpenAI.BadRequestError)).message, /temperature/);
    assert.match((await fails({ max_tokens: 1000000 }, OpenAI.BadRequestError)).message, /maximum context length/);
    await fails({ messages: [] }, OpenAI.BadRequestError);
    await fails({ tools: [{ type: "function", function: { name: "f" } }] }, OpenAI.BadRequestError);
  },

  async json() {
    const any = await client.chat.completions.create({
      model, messages, max_tokens: 200, seed: 1, response_format: { type: "json_object" },
    });
    if (any.choices[0].finish_reason === "stop") assert.equal(typeof JSON.parse(any.choices[0].message.content), "object");
    const schema = {
      type: "object", additionalProperties: false, required: ["city", "days"],
      properties: { city: { type: "string", enum: ["Rome", "Oslo"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
    };
    const parsed = await client.chat.completions.parse({
      model, messages, max_tokens: 100,
      response_format: { type: "json_schema", json_schema: { name: "trip", strict: true, schema } },
    });
    const trip = JSON.parse(parsed.choices[0].message.content);
    assert.ok(["Rome", "Oslo"].includes(trip.city) && trip.days >= 1 && trip.days <= 9, JSON.stringify(trip));
    const choice = await client.completions.create({ model, prompt: "x", max_tokens: 9, guided_choice: ["yes", "no"] });
    assert.match(choice.choices[0].text, /^(yes|no)$/);
  },

  async tools() {
    const parameters = {
      type: "object", required: ["city"], properties: { city: { enum: ["Rome", "Oslo"] }, days: { type: "integer", maximum: 9 } },
    };
    const tools = [{ type: "function", function: { name: "weather", parameters } }, { type: "function", function: { name: "now" } }];
    const asked = { model, messages, max_tokens: 60, tools, tool_choice: { type: "function", function: { name: "weather" } }, seed: 4 };
    const answer = await client.chat.completions.create(asked);
    const call = answer.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, "weather");
    assert.ok(["Rome", "Oslo"].includes(JSON.parse(call.function.arguments).city), call.function.arguments);
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    assert.equal(streamed.choices[0].message.tool_calls[0].function.arguments, call.function.arguments);
    const only = await client.chat.completions.create({ ...asked, tools: tools.slice(0, 1), tool_choice: "required" });
    assert.equal(only.choices[0].finish_reason, "tool_calls");
  },

  // Leaves in the middle of a long stream. Who runs this looks whether the engine noticed.
  async leaves() {
    const stream = await client.chat.completions.create({
      model, messages, max_tokens: 400, ignore_eos: true, stream: true,
    });
    let seen = 0;
    for await (const chunk of stream) {
      seen += chunk.choices.length;
      if (seen === 4) stream.controller.abort();
    }
    assert.ok(seen >= 4 && seen < 400, `${seen} chunks`);
  },
};

scenarios[scenario]().then(() => console.log("held"), (error) => {
  console.error(error);
  process.exit(1);
});
