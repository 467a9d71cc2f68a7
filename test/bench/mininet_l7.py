# The bare network of the l7 lab (four hosts, two segments, addresses), made and ended by mininet with Linux bridges. Run in namespaces of its own:
# mininet makes its bridges in the current network namespace.
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
net = Mininet(switch=LinuxBridge, controller=None, build=False)
front, back = net.addSwitch('s1'), net.addSwitch('s2')
client, lb, be1, be2 = (net.addHost(n, ip=None) for n in ('client', 'lb', 'be1', 'be2'))
for node, switch, address in ((client, front, '192.168.11.104/24'), (lb, front, '192.168.11.107/24'), (lb, back, '10.133.1.1/24'), (be1, back, '10.133.1.2/24'), (be2, back, '10.133.1.3/24')):
    link = net.addLink(node, switch)
    link.intf1.params['ip'] = address
net.start()
print('up', flush=True)
net.stop()
