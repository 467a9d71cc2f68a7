// `lblab init`: a topology to start from, with what can be said in one.
import { open } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { METHODS } from '../../balancers/index.ts';
import { makeFolder } from '../../lab/outlet.ts';
import { word } from '../../plan/shell.ts';
import { toName } from '../../topology/name-shapes.ts';
import { nextSteps } from '../../report/table.ts';
import { callerOf, type Cli } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { shown } from '../output.ts';

function starter(name: string): string {
  return `# A lab: nodes on Ethernet segments, a balancer, where to capture, what to request.
#   lblab validate FILE     is it right?
#   lblab run FILE          build it, send the requests, and judge the captures
#   lblab schema            everything that can be said here, for an editor
name: ${name}
title: My own lab

# Ethernet segments, each with its subnet. An interface without an address gets the next free one.
segments:
  front: 192.168.50.0/24 # clients and the balancer's outside
  back: 10.50.0.0/24 # the balancer's inside and the backends

nodes:
  client:
    role: client
    interfaces:
      eth0: { segment: front, address: 192.168.50.10 }
  lb:
    role: balancer
    interfaces:
      eth0: { segment: front, address: 192.168.50.1 } # what clients ask for
      eth1: { segment: back, address: 10.50.0.1 } # what backends see
  be1:
    role: backend # answers each request with its name
    interfaces:
      eth0: { segment: back, address: 10.50.0.11 }
  be2:
    role: backend
    interfaces:
      # A slow link: what be2 sends takes 20 ms more. It takes a kernel with netem.
      # eth0: { segment: back, address: 10.50.0.12, link: { delay: 20ms } }
      eth0: { segment: back, address: 10.50.0.12 }
    # Programs of your own; lblab keeps them running and tells when one has died.
    # services:
    #   - { name: echo, command: python3 -m http.server 8080, port: 8080 }

balancer:
  # ${METHODS.join(', ')}
  method: nginx
  port: 80
  scheduler: rr
  backends:
    - be1
    - be2 # or, with a weight: { node: be2, weight: 2 }

# tcpdump listens here; each makes NAME.pcap.
captures:
  eth0: { at: lb:eth0, filter: tcp port 80 }
  eth1: { at: lb:eth1, filter: tcp port 80 }
  client: { at: client:eth0, filter: tcp port 80 }
  be1: { at: be1:eth0, filter: tcp port 80 }
  be2: { at: be2:eth0, filter: tcp port 80 }

traffic:
  clients: client
  requests: 10

# What must hold beside the method's own claims; lblab schema has them all.
expect:
  - status: 200
  - connections: { at: eth1, count: 10 }
  - header: { at: eth1, of: request, name: X-Forwarded-For, is: { address: client } }
`;
}

export async function init(cli: Cli, name: string): Promise<number> {
  const file = resolve(cli.cwd, name);
  const topology = toName(basename(file).replace(/\.[^.]*$/, '')).toLowerCase() || 'lab';
  const caller = callerOf(cli);
  await makeFolder(dirname(file), caller);
  try {
    await using written = await open(file, 'wx');
    await written.writeFile(starter(topology));
    if (caller !== undefined) await written.chown(caller.uid, caller.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new Failure(`${name} is there already; it is left as it is: name another file`, EXIT.usage);
    }
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') {
      throw new Failure(
        `${name} is a folder; name a file in it, such as ${name.replace(/\/$/, '')}/lab.yaml`,
        EXIT.usage,
      );
    }
    throw new Failure(`${name} cannot be written: ${(error as Error).message}`, EXIT.usage);
  }
  const short = shown(cli, file);
  const path = word(short.includes('/') ? short : `./${short}`);
  if (cli.json) cli.out(JSON.stringify({ schema: 'lblab/init@1', file }) + '\n');
  else {
    cli.out(
      `${short} written\n` +
        nextSteps(
          [`lblab validate ${path}`, 'whether it is right, after changes'],
          [`lblab run ${path}`, 'builds it and shows what it proves'],
        ),
    );
  }
  return EXIT.ok;
}
