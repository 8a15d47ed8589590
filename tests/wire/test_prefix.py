"""Requests that begin alike meet on the endpoint that holds their beginning, and never drown it."""

import json
import threading

from harness import WireTest, eventually, manifests, post_bytes


def body(prompt, model="lora-request", **more):
    return json.dumps({"model": model, "prompt": prompt, **more})


def text(number, size=4000):
    return f"{number:08d} " * (size // 9)


class Prefix(WireTest):
    def start(self, engines=4, **options):
        self.behind = self.engines(engines)
        self.door = self.gateway(manifests.canary(self.behind, {"sql-lora": 1}), **options)
        eventually(lambda: all(row["scrapeAgeSeconds"] is not None for row in json.loads(self.door.stats("/endpoints").body)), "a scrape of each")

    def ask(self, path, sent):
        with self.door.connect() as client:
            answer = client.ask(post_bytes(path, sent))
            self.assertEqual(answer.status, 200)

    def served_by(self, marker):
        """For each engine how many requests it was sent that hold these bytes."""
        return [sum(marker in request.body for request in engine.requests) for engine in self.behind]

    def test_the_turns_of_a_conversation_stay_together(self):
        self.start()
        for number in range(24):
            prompt = text(number)
            for turn in range(3):
                self.ask("/v1/completions", body(prompt, "base"))
                prompt += text(1000 + turn, 600)
        for number in range(24):
            self.assertEqual(max(self.served_by(text(number).encode())), 3, number)
        shares = [len(engine.requests) for engine in self.behind]
        self.assertEqual(sum(shares), 72)
        self.assertGreaterEqual(min(shares), 3, shares)  # new conversations are spread: no adapter binds them
        self.assertGreater(self.door.metric("tidegate_prefix_held_bytes_total"), 48 * 3800)
        self.assertGreater(self.door.metric("tidegate_prefix_index_blocks"), 12)

    def test_chat_messages_count_as_they_stand(self):
        self.start()
        for number in range(8):
            messages = [{"role": "system", "content": text(number) + '"quoted"\n'}]
            for turn in range(4):
                messages.append({"role": "user", "content": f"question {turn}"})
                self.ask("/v1/chat/completions", json.dumps({"model": "lora-request", "messages": messages}))
                messages.append({"role": "assistant", "content": f"answer {turn}"})
        for number in range(8):
            self.assertEqual(max(self.served_by(text(number).encode())), 4, number)

    def test_a_popular_beginning_does_not_drown_its_holder(self):
        self.start()
        for engine in self.behind:
            engine.script = slow_answer(hold := threading.Event())
            self.addCleanup(hold.set)
        threads = [threading.Thread(target=self.ask, args=("/v1/completions", body(text(1)))) for _ in range(40)]
        for thread in threads:
            thread.start()
        eventually(lambda: sum(len(engine.requests) for engine in self.behind) == 40, "all under way")
        shares = [len(engine.requests) for engine in self.behind]
        for engine in self.behind:
            engine.script.hold.set()
        for thread in threads:
            thread.join()
        self.assertLessEqual(max(shares), 1.25 * 10 + 3, shares)

    def test_short_prompts_and_a_weight_of_nothing_are_not_looked_up(self):
        self.start(extra=["--weight-prefix", "0"])
        self.ask("/v1/completions", body(text(1)))
        self.assertEqual(self.door.metric("tidegate_prefix_index_blocks"), 0)

    def test_other_tools_are_another_prompt(self):
        self.start(engines=2)
        def chat(tool):
            self.ask("/v1/chat/completions", json.dumps({
                "model": "lora-request", "messages": [{"role": "user", "content": text(1)}],
                "tools": [{"type": "function", "function": {"name": tool, "parameters": {}}}]}))
        chat("tide")
        before = self.door.metric("tidegate_prefix_index_blocks")
        chat("moon")
        self.assertEqual(self.door.metric("tidegate_prefix_index_blocks"), 2 * before)
        chat("tide")
        self.assertEqual(self.door.metric("tidegate_prefix_index_blocks"), 2 * before)

    def test_another_salt_is_another_prompt(self):
        self.start(engines=2)
        self.ask("/v1/completions", body(text(1), cache_salt="a"))
        before = self.door.metric("tidegate_prefix_index_blocks")
        self.ask("/v1/completions", body(text(1), cache_salt="b"))
        self.assertEqual(self.door.metric("tidegate_prefix_index_blocks"), 2 * before)
        self.ask("/v1/completions", body(text(1), cache_salt="b"))
        self.assertEqual(self.door.metric("tidegate_prefix_index_blocks"), 2 * before)


def slow_answer(hold):
    def script(request, reply):
        hold.wait(20)
        reply.json({"id": "cmpl-1", "object": "text_completion", "model": "sql-lora", "choices": []})
    script.hold = hold
    return script
