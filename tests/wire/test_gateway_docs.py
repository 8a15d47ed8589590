"""docs/gateway.md is true: each section's objects are applied and each of its commands prints what it says."""

import pathlib
import re
import subprocess

from harness.case import WireTest
from harness.certificates import Authority, tls_secret
from harness.engine import completion
from harness.process import eventually, free_port

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "gateway.md"


def sections():
    """(title, YAML blocks, [(command, expected output)]) of each heading of the second level."""
    found = []
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.M)[1:]:
        blocks = re.findall(r"^```yaml\n(.*?)^```", part, flags=re.M | re.S)
        commands = []
        for console in re.findall(r"^```console\n(.*?)^```", part, flags=re.M | re.S):
            for line in console.splitlines():
                if line.startswith("$ "):
                    commands.append([line[2:], ""])
                else:
                    commands[-1][1] += line + "\n"
        found.append((part.splitlines()[0], blocks, commands))
    return found


class GatewayPage(WireTest):
    def named(self, name):
        """An engine whose answers say which it is."""
        return self.engine(lambda request, reply: reply.json(completion(f"from-{name}")))

    def test_every_section(self):
        authority = Authority(self.folder, "ca")
        secret = tls_secret("web-tls", authority.issue("api.example.com", "llm.example.com"))
        llama, qwen = self.named("llama"), self.named("qwen")
        qwen.names = ["base", "qwen", "poems", "sonnets"]
        pieces, *others = sections()
        self.assertGreater(len(others), 10)
        for title, blocks, commands in others:
            with self.subTest(title):
                self.assertTrue(blocks and commands, title)
                secure = free_port()
                here = [("127.0.0.1:8000", llama.address), ("127.0.0.1:8001", qwen.address),
                        ('addresses: ["127.0.0.1"]', f'addresses: ["{qwen.host}"]'), ("port: 8001", f"port: {qwen.port}"),
                        ("8080", "@PORT@"), ("8443", str(secure))]
                files = {"tls.yaml": secret}
                for index, text in enumerate([*pieces[1], *blocks]):
                    for written, meant in here:
                        text = text.replace(written, meant)
                    files[f"{index}.yaml"] = text
                gateway = self.gateway(files)
                self.assertNotIn("error", gateway.process.log())
                for command, expected in commands:
                    meant = [(written, text.replace("@PORT@", str(gateway.port))) for written, text in here[-2:]]
                    for written, text in meant:
                        command, expected = command.replace(written, text), expected.replace(written, text)
                    command = command.replace("localhost", "127.0.0.1")

                    def printed(command=command):
                        return subprocess.run(["bash", "-c", command], cwd=self.folder, capture_output=True, text=True,
                                              timeout=30).stdout
                    eventually(lambda: printed() == expected, f"{command!r} to print {expected!r}, not {printed()!r}",
                               seconds=5, every=0.1)
                gateway.stop()
                for name in files:
                    gateway.remove(name)
