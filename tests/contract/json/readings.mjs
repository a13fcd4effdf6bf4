// Reads base64 lines, parses each as JSON, and prints what JavaScript understood (the notation of readers.py), or "refused".
import { readFileSync, writeFileSync } from "node:fs";

const double = Buffer.alloc(8);

function number(value) {
  double.writeDoubleBE(value + 0); // Minus zero is zero.
  return "n" + double.toString("hex");
}

function text(value) {
  return "s" + Buffer.from(value, "utf16le").toString("hex");
}

function spelled(value) {
  if (value === null) return "null";
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return "[" + value.map(spelled).join(",") + "]";
  if (typeof value === "object") {
    const members = Object.entries(value).map(([key, inside]) => text(key) + ":" + spelled(inside));
    return "{" + members.sort().join(",") + "}";
  }
  return String(value);
}

function reading(line) {
  try {
    return spelled(JSON.parse(Buffer.from(line, "base64").toString("utf8")));
  } catch {
    return "refused";
  }
}

const lines = readFileSync(0, "latin1").split("\n").slice(0, -1);
writeFileSync(1, lines.map((line) => reading(line) + "\n").join(""));
