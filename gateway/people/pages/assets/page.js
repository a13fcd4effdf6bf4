// Everything here is a convenience: each page does its work without it.
import { follow } from "./live.js";
import { tick } from "./time.js";
import { listen } from "./keys.js";
import { prefill } from "./decide.js";

const { stream, hold, every } = document.body.dataset;
tick();
listen();
prefill();
follow({ stream, hold, every });
