/** The ids of a message, made from what it stands for and never drawn: a repeated publish carries the same. */

import { createHash } from "node:crypto";

/** Beat's own UUID namespace. Never changed: every task id hangs on it. */
const BEAT_UUID = "05c91544-0862-4c55-ab74-10fb06563b3e";

/**
 * The Celery task id of one publish of a fire.
 * @param namespace Beat's namespace in Redis: staging and production on one server must differ
 * @param openId from `openIdOf`: the fire id, with `#n` for the n-th new attempt
 */
export function celeryTaskId(namespace: string, openId: string): string {
  let bytes = namespaceBytes.get(namespace);
  if (bytes === undefined) {
    bytes = bytesOf(uuid5(BEAT_UUID, namespace));
    namespaceBytes.set(namespace, bytes);
  }
  return nameInto(bytes, openId);
}

/** A process has one namespace, a test a few: this does not grow. */
const namespaceBytes = new Map<string, Uint8Array>();

/**
 * The delivery tag of one push: another leader that pushes the same fire makes another tag, so that
 * neither acknowledgement removes the other's record.
 * @param fence the leader's term
 */
export function deliveryTag(taskId: string, fence: number): string {
  return `${taskId}.${fence}`;
}

/**
 * A name-based UUID, version 5 (RFC 9562).
 * @param namespace a UUID with hyphens
 */
export function uuid5(namespace: string, name: string): string {
  return nameInto(bytesOf(namespace), name);
}

function nameInto(namespace: Uint8Array, name: string): string {
  const hex = createHash("sha1").update(namespace).update(name, "utf8").digest("hex");
  const variant = VARIANT[parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${
    hex.slice(17, 20)
  }-${hex.slice(20, 32)}`;
}

/** The two upper bits of the clock field are 10. */
const VARIANT = ["8", "9", "a", "b"];

function bytesOf(uuid: string): Uint8Array {
  const pairs = uuid.replaceAll("-", "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}
