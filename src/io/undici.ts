import type { Agent as AgentType, buildConnector as ConnectorType } from 'undici';
import agent from 'undici/lib/dispatcher/agent.js';
import connector from 'undici/lib/core/connect.js';

/*
 * undici by its parts. Its index also loads a browser's fetch, caches and sockets, and by them the copy of undici that is inside of Node:
 * a good part of what a short command takes in all.
 */
export const Agent: typeof AgentType = agent;
export const buildConnector: typeof ConnectorType = connector;
