import { adaptor } from "../../src/deliver/adaptor.ts";
export default adaptor({
  summary: "",
  promise: () => "confirmed",
  inFlight: 1,
  options: {},
  open() {
    return Promise.reject(new Error("not built"));
  },
});
