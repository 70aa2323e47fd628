// What the editor asks the server: JSON out, JSON back; an answer that is no success becomes an error with its text.

export class Refused extends Error {
  constructor(status, text, data) {
    super(text);
    this.status = status;
    this.data = data;
  }
}

const SIGNED_OUT = "You are not signed in any more: sign in to Airflow in another tab, then try again.";

export const ask = async (url, { method = "GET", body } = {}) => {
  const headers = { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) };
  let answer;
  try {
    answer = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, "The server cannot be reached. Nothing is lost: what you drew is still here; try again.", {});
  }
  const data = await answer.json().catch(() => ({}));
  if (answer.ok) return data;
  const text = typeof data.detail === "string" ? data.detail : `the server answered ${answer.status}`;
  throw new Refused(answer.status, answer.status === 401 ? SIGNED_OUT : text, data);
};
