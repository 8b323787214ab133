"""Counts again what report.json says of a run, from the ledger of its load and the moments in its journal alone, and
compares to the last digit. Shares no code with injector. Usage: recount.py FOLDER LOAD HOLD SETTLE, where the run has
recovered as soon as the share of errors is below HOLD for SETTLE seconds."""
import csv, json, sys

folder, load, hold, settle = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
journal = [json.loads(line) for line in open(f"{folder}/journal.jsonl")]
report = json.load(open(f"{folder}/report.json"))
rows = list(csv.reader(open(f"{folder}/ledger-{load}.csv")))[1:]
samples = sorted((int(due), int(n), int(end), outcome == "ok") for n, due, _, end, outcome in rows)
first, SECOND, compared, wrong = journal[0]["at"], 10**9, 0, 0
begun = [(record["phase"], record["at"]) for record in journal if record["kind"] == "phase"]
ends = [at for _, at in begun[1:]] + [journal[-1]["at"]]
spans = {phase: (begin, end) for (phase, begin), end in zip(begun, ends)}


def measures(begin, end):
    inside = [sample for sample in samples if begin <= sample[0] < end]
    good = [sample for sample in inside if sample[3]]
    waits = sorted(sample[2] - sample[0] for sample in inside)
    marks = [(begin, begin)] + [(due, done) for due, _, done, _ in good] + [(end, end)]
    outage = max(max(0, later[1] - before[0]) for before, later in zip(marks, marks[1:]))
    found = {"samples": len(inside), "good": len(good), "outage": outage / 1e9}
    if inside:
        found |= {f"p{p}": waits[-(-len(waits) * p // 100) - 1] / 1e9 for p in (50, 95, 99)}
        found |= {"errors": (len(inside) - len(good)) / len(inside), "max": waits[-1] / 1e9}
    return found


def same(what, reported, counted):
    global compared, wrong
    compared += 1
    if reported != counted:
        wrong += 1
        print(f"{what}: reported {reported}, counted {counted}")


[source] = [source for source in report["sources"] if source["name"] == load]
for phase, (begin, end) in spans.items():
    if phase == "stop":  # The load ends in it; nothing is judged there.
        continue
    found = measures(begin, end)
    same(f"{phase} is there", phase in source["phases"], found["samples"] > 0)
    for name, number in found.items() if found["samples"] else ():
        same(f"{phase} {name}", source["phases"][phase][name], number)
violated = []
for condition in report["conditions"]:
    words, role = condition["condition"].split(), condition["role"]
    if words[0] != load:
        continue
    moments = [round(condition[end] * 1e9) + first for end in ("begin", "end")]
    same(f"{role} {condition['condition']}", condition["measured"], measures(*moments).get(words[1]))
    same(f"{role} {condition['condition']} samples", condition["samples"], measures(*moments)["samples"])
    bound = float(words[3].rstrip("%ms")) / (100 if "%" in words[3] else 1000 if words[3].endswith("ms") else 1)
    if role in ("during", "after", "verify"):
        begin, end = windows = spans[role]
        if "over" in words:
            length = int(words[5].rstrip("s")) * SECOND
            starts = range(begin, end - length + 1, SECOND)
            false = [at for at in starts if not measures(at, at + length)["errors"] < bound]
            at = (false or list(starts))[0 if false else -1]
            windows = (at, at + length)
        same(f"{role} {condition['condition']} window", moments, list(windows))
    truth = measures(*moments)[words[1]] < bound
    same(f"{role} {condition['condition']} truth", condition["truth"], "true" if truth else "false")
    violated += [moments[1]] if role == "during" and not truth else []
faults = {record["path"] for record in journal if record["kind"] == "counters"}
healed = max(record["until"] for record in journal if record["kind"] == "ended" and record["path"] in faults)
begin, end = spans["recovery"]
starts = range(begin, end - settle * SECOND + 1, SECOND)
back = [at for at in starts if measures(at, at + settle * SECOND)["errors"] < hold][0]
same("healed", report["recovery"]["healed"], (healed - first) / 1e9)
same("recovered after", report["recovery"]["recovered_after"], (back - healed) / 1e9)
same("detected after", report["recovery"]["detected_after"], (min(violated) - spans["during"][0]) / 1e9)
print(f"{compared} numbers compared, {wrong} differ")
sys.exit(wrong > 0)
