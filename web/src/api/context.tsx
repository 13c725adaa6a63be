import { createContext, useContext } from "react";
import type { Api } from "./client";

const ApiContext = createContext<Api | null>(null);

export const ApiProvider = ApiContext.Provider;

export function useApi(): Api {
  const api = useContext(ApiContext);
  if (!api) throw new Error("there is no ApiProvider above");
  return api;
}
