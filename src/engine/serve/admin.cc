// Adapters at run time, sleep, and the prefix cache.

#include "engine/serve/desk.h"
#include "engine/serve/json_out.h"
#include "http/target.h"

namespace tidegate::serve {
namespace {

tl::unexpected<ApiError> invalid_input(std::string message) {
  return tl::unexpected(ApiError{400, "InvalidUserInput", std::move(message), ""});
}

ApiResult<AdapterRequest> checked_load(Desk& desk, std::string_view body) {
  auto asked = desk.bodies.adapter(body);
  if (!asked) return asked;
  if (asked->name.empty() || asked->path.empty()) {
    return invalid_input("Both 'lora_name' and 'lora_path' must be provided.");
  }
  if (!desk.flags.lora) return bad_request("LoRA is not enabled; start the engine with --enable-lora.");
  constexpr std::size_t kNameMax = 256;
  if (asked->name.size() > kNameMax) return bad_request("lora_name is longer than 256 bytes.", "lora_name");
  const bool base = desk.catalog.find(asked->name) && desk.catalog.adapter(asked->name) == nullptr;
  if (base || (desk.catalog.adapter(asked->name) != nullptr && !asked->load_inplace)) {
    return invalid_input("The lora adapter '" + asked->name +
                         "' has already been loaded. If you want to load the LoRA adapter in place, set "
                         "'load_inplace' to True.");
  }
  return asked;
}

ApiResult<AdapterRequest> checked_unload(Desk& desk, std::string_view body) {
  auto asked = desk.bodies.adapter(body);
  if (!asked) return asked;
  if (asked->name.empty()) return invalid_input("'lora_name' needs to be provided to unload a LoRA adapter.");
  if (desk.catalog.adapter(asked->name) == nullptr) {
    return tl::unexpected(
        ApiError{404, "NotFoundError", "The lora adapter '" + asked->name + "' cannot be found.", ""});
  }
  return asked;
}

// What vLLM answers when the engine, not the request, refuses an adapter.
ApiError load_error(const Error& error) {
  if (error.code == Code::kNotFound) return {404, "NotFoundError", describe(error), ""};
  return {500, "InternalServerError", describe(error), ""};
}

ApiError bad_level() { return {400, "BadRequestError", "level must be 1 or 2.", "level"}; }

}  // namespace

Respond load_adapter(Desk& desk, Exchange& exchange) {
  const auto asked = checked_load(desk, exchange.request.body);
  if (!asked) {
    co_await answer_error(desk, exchange, asked.error());
    co_return;
  }
  auto reply = std::make_shared<Reply<Result<lora::AdapterId>>>(desk.loop);
  desk.engine.load_adapter({asked->name, desk.flags.paths.locate(asked->path)},
                           [reply](Result<lora::AdapterId> id) { reply->set(std::move(id)); });
  const Result<lora::AdapterId> id = co_await reply->wait();
  if (!id) {
    const ApiError error = load_error(id.error());
    co_await answer_error(desk, exchange, error);
    co_return;
  }
  // Another request may have loaded the same name meanwhile: the last one wins, as with load_inplace.
  if (const ServedAdapter* old = desk.catalog.adapter(asked->name)) desk.engine.remove_adapter(old->id);
  desk.catalog.add({asked->name, asked->path, "", *id});
  exchange.status = 200;
  co_await exchange.responder.respond(200, "text/plain; charset=utf-8",
                                      "Success: LoRA adapter '" + asked->name + "' added successfully.");
}

Respond unload_adapter(Desk& desk, Exchange& exchange) {
  const auto asked = checked_unload(desk, exchange.request.body);
  if (!asked) {
    co_await answer_error(desk, exchange, asked.error());
    co_return;
  }
  desk.engine.remove_adapter(desk.catalog.adapter(asked->name)->id);
  desk.catalog.remove(asked->name);
  exchange.status = 200;
  co_await exchange.responder.respond(200, "text/plain; charset=utf-8",
                                      "Success: LoRA adapter '" + asked->name + "' removed successfully.");
}

Respond sleep(Desk& desk, Exchange& exchange) {
  const std::string level = http::query_value(exchange.request.query, "level").value_or("1");
  if (level != "1" && level != "2") {
    const ApiError error = bad_level();
    co_await answer_error(desk, exchange, error);
    co_return;
  }
  desk.sleep = level == "1" ? SleepState::kWeightsOffloaded : SleepState::kDiscardAll;
  // Sleeping drops the KV cache, so what runs cannot go on.
  auto reply = std::make_shared<Reply<bool>>(desk.loop);
  desk.engine.sleep(true);
  desk.engine.call([reply](EngineThread::Inside& inside) {
    inside.stepper.abort_all(nullptr, inside.now, inside.outputs);
    reply->set(inside.stepper.reset_prefix_cache());
  });
  const bool done = co_await reply->wait();
  (void)done;
  exchange.status = 200;
  co_await exchange.responder.respond(200, "", "");
}

Respond wake_up(Desk& desk, Exchange& exchange) {
  desk.engine.sleep(false);
  desk.sleep = SleepState::kAwake;
  exchange.status = 200;
  co_await exchange.responder.respond(200, "", "");
}

Respond is_sleeping(Desk& desk, Exchange& exchange) {
  co_await answer_json(
      exchange, 200, desk.sleep == SleepState::kAwake ? "{\"is_sleeping\":false}" : "{\"is_sleeping\":true}");
}

Respond reset_prefix_cache(Desk& desk, Exchange& exchange) {
  auto reply = std::make_shared<Reply<bool>>(desk.loop);
  desk.engine.call(
      [reply](EngineThread::Inside& inside) { reply->set(inside.stepper.reset_prefix_cache()); });
  const bool done = co_await reply->wait();
  (void)done;  // vLLM answers 200 either way; blocks in use keep their content
  exchange.status = 200;
  co_await exchange.responder.respond(200, "", "");
}

}  // namespace tidegate::serve
