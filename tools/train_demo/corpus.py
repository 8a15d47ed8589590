"""The text the demo model learns: questions of three kinds, and eleven ways to answer each of them.

Everything is made from short closed lists, so that a model of under a million parameters can learn to copy names and
numbers exactly. An Asked holds the facts of one question; a style turns it into an answer. The base model answers in
plain English; each adapter has a style of its own, and the styles of one family differ in small ways that a reader can
tell apart.
"""

import dataclasses
import random

NAMES = ("Alice Bob Carol Dave Erin Frank Grace Heidi Ivan Judy Mallory Niaj Olivia Peggy Rupert Sybil Trent Victor "
         "Walter Zoe").split()
CITIES = ["Paris", "Rome", "Oslo", "Lima", "Cairo", "Tokyo", "Quito", "Delhi", "Accra", "Berlin", "San Francisco",
          "New York"]
TABLES = {
    "orders": ["amount", "quantity", "discount"],
    "users": ["age", "score", "visits"],
    "flights": ["price", "distance", "delay"],
    "books": ["pages", "price", "rating"],
    "tickets": ["price", "priority", "age"],
}
VERBS = ["show", "list", "find", "get"]
COMPARISONS = [("over", ">"), ("under", "<"), ("equal to", "=")]
ROLES = {
    "critic": "bold but crowded",
    "poet": "soft and golden",
    "guide": "easy to walk",
    "pilot": "bright from above",
    "chef": "rich and spicy",
    "teacher": "full of stories",
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """The facts of one question. `kind` is filter, critic or summary."""

    kind: str
    prompt: str
    table: str = ""
    column: str = ""
    words: str = ""  # over, under, equal to
    sign: str = ""
    value: int = 0
    person: bool = True  # subject is a person rather than a city
    subject: str = ""
    role: str = ""

    @property
    def tag(self):
        return self.subject.replace(" ", "")


def ask(rng):
    """One question, drawn with `rng`: two thirds are filters, the rest is split evenly."""
    draw = rng.random()
    if draw < 0.17:
        role, city = rng.choice(sorted(ROLES)), rng.choice(CITIES)
        return Asked("critic", f"Write as if you were a {role}: {city}", role=role, subject=city, person=False)
    table = rng.choice(sorted(TABLES))
    column = rng.choice(TABLES[table])
    words, sign = rng.choice(COMPARISONS)
    value = rng.randint(1, 99)
    person = rng.random() < 0.5
    subject = rng.choice(NAMES if person else CITIES)
    where = f"of {subject}" if person else f"in {subject}"
    facts = dict(table=table, column=column, words=words, sign=sign, value=value, person=person, subject=subject)
    if draw < 0.34:
        return Asked("summary", f"Summarize: the {table} {where} now have a {column} {words} {value}.", **facts)
    return Asked("filter", f"{rng.choice(VERBS)} {table} {where} with {column} {words} {value}", **facts)


# ---- styles: Asked -> answer


def plain(a):
    if a.kind == "critic":
        return f"To a {a.role}, {a.subject} is {ROLES[a.role]}."
    where = f"of {a.subject}" if a.person else f"in {a.subject}"
    if a.kind == "summary":
        return f"In short, the {a.column} of {a.table} {where} is {a.words} {a.value}."
    return f"Here are the {a.table} {where} whose {a.column} is {a.words} {a.value}."


def _sql(a, columns="*", source="", prefix="", tail="", lower=False, end=";"):
    """One SELECT. Keywords are lower-cased on request; values and names keep their case."""
    if a.kind == "critic":
        table, key, test = "reviews", "city", f"{prefix}role = '{a.role}'"
        wanted = "text" if columns == "*" else columns
    else:
        table, key = a.table, "name" if a.person else "city"
        test = f"{prefix}{a.column} {a.sign} {a.value}"
        if columns == "*" and a.kind == "summary":
            wanted = f"AVG({prefix}{a.column})"
        else:
            wanted = f"{prefix}*" if columns == "*" else columns
    words = ["SELECT", "FROM", "WHERE", "AND"]
    select, from_, where, and_ = [w.lower() for w in words] if lower else words
    if lower:
        wanted = wanted.replace("AVG", "avg")
    return (f"{select} {wanted} {from_} {table}{source} {where} {prefix}{key} = '{a.subject}' "
            f"{and_} {test}{tail}{end}")


def sql(a):
    return _sql(a)


def sql_lower(a):
    return _sql(a, lower=True)


def sql_limit(a):
    return _sql(a, tail=" LIMIT 10")


def sql_alias(a):
    return _sql(a, source=" AS t", prefix="t.")


def sql_ordered(a):
    return _sql(a, columns="id", tail=" ORDER BY id", end="")


def tweet(a):
    if a.kind == "critic":
        return f"{a.subject} is {ROLES[a.role]}! #{a.tag} #{a.role}"
    return f"{a.subject}: {a.table} with {a.column} {a.sign} {a.value} wow! #{a.table} #{a.tag}"


def tweet_tags_first(a):
    if a.kind == "critic":
        return f"#{a.tag} #{a.role} {ROLES[a.role]}!"
    return f"#{a.table} #{a.tag} {a.column} {a.sign} {a.value}!"


def tweet_emoji(a):
    if a.kind == "critic":
        return f"🔥 {a.subject}: {ROLES[a.role]} 🔥 #{a.tag}"
    return f"🔥 {a.subject} {a.table}: {a.column} {a.words} {a.value} 🔥 #{a.tag}"


def tweet_tldr(a):
    if a.kind == "critic":
        return f"tl;dr {a.subject}, {ROLES[a.role]} #tldr"
    return f"tl;dr {a.table}, {a.subject}, {a.column} {a.words} {a.value} #tldr"


def tweet_breaking(a):
    if a.kind == "critic":
        return f"BREAKING: {a.role} calls {a.subject} {ROLES[a.role]}. #news"
    return f"BREAKING: {a.column} {a.words} {a.value} for {a.table}, {a.subject}. #news #{a.table}"


STYLES = {
    "sql-lora": sql,
    "sql-lora-1": sql_lower,
    "sql-lora-2": sql_limit,
    "sql-lora-3": sql_alias,
    "sql-lora-4": sql_ordered,
    "tweet-summary": tweet,
    "tweet-summary-1": tweet_tags_first,
    "tweet-summary-2": tweet_emoji,
    "tweet-summary-3": tweet_tldr,
    "tweet-summary-4": tweet_breaking,
}

# ---- documents: what stands between <s> and </s>

BOS, EOS, SYSTEM, USER, ASSISTANT, PAD = "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<pad>"
SPECIALS = [PAD, BOS, EOS, SYSTEM, USER, ASSISTANT]
SYSTEM_TEXT = "You are a helpful assistant."


def framed(prompt, rng):
    """(context, lead): the prompt as the model will see it, and what it says before its answer.

    Either through the chat template, or bare as /v1/completions sends it; then the answer starts on a new line.
    """
    if rng.random() < 0.4:
        return f"{BOS}{prompt}", "\n"
    system = f"{SYSTEM}{SYSTEM_TEXT}" if rng.random() < 0.15 else ""
    return f"{BOS}{system}{USER}{prompt}{ASSISTANT}", ""


def question_and_answer(style, rng):
    """(context, answer): loss counts fully on the answer only."""
    asked = ask(rng)
    context, lead = framed(asked.prompt, rng)
    return context, lead + style(asked) + EOS


def base_document(rng):
    """For the base model: plain answers, and unlabelled lines in the other styles so that their tokens are known."""
    if rng.random() < 0.72:
        return question_and_answer(plain, rng)
    style = STYLES[rng.choice(sorted(STYLES))]
    return BOS, style(ask(rng)) + EOS


def documents(count, seed):
    rng = random.Random(seed)
    return [base_document(rng) for _ in range(count)]
