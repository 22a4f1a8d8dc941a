# The nftables table that decides who reaches the ports that Docker publishes.
#
# Docker accepts what it publishes in chains of its own, of iptables or of nftables. A drop is
# final, whichever table says so, and nobody touches a table that is not his own. So this one serves
# both back ends, and a restart of Docker or of the NixOS firewall leaves it as it is.
#
# A pure function that needs neither nixpkgs nor its lib, so that a machine without them can load
# the same table. It returns what stands between the braces of `table inet pistack { … }`.
#
#   open     names of the interfaces through which published ports are reached; [ "any" ] for all
#   bridges  names of bridges that are not Docker's
{
  open,
  bridges ? [ ],
}:

let
  lines = builtins.concatStringsSep "\n";
  chain = name: rules: [ "chain ${name} {" ] ++ map (rule: "  ${rule}") rules ++ [ "}" ];
  ifAny = names: rule: if names == [ ] then [ ] else [ rule ];
  set = names: "{ ${builtins.concatStringsSep ", " (map builtins.toJSON names)} }";

  # What Docker calls the bridges of its networks, unless a network names its own.
  dockerBridges = [
    ''"docker0"''
    ''"docker_gwbridge"''
    ''"br-*"''
  ];

  forward = [
    # Answers to what a container asked for. All else is decided anew for every packet, so that
    # closing a port ends the connections to it.
    "ct direction reply accept"
    "ct state related accept"
  ]
  ++ ifAny open "iifname ${set open} accept"
  ++ ifAny bridges "iifname ${set bridges} jump closed"
  # What containers send, to each other and elsewhere, is Docker's to judge.
  ++ map (bridge: "iifname ${bridge} accept") dockerBridges
  ++ [ "jump closed" ];

  closed = [
    # Published, whatever the network's bridge is called.
    ''ct status dnat meta oifkind "bridge" drop''
  ]
  ++ ifAny bridges "oifname ${set bridges} accept"
  # Straight to a container's address, by a route that somebody made on another machine.
  ++ map (bridge: "oifname ${bridge} drop") dockerBridges;
in
lines (
  chain "closed" closed
  ++ chain "forward" (
    [ "type filter hook forward priority filter - 10; policy accept;" ]
    ++ (if builtins.elem "any" open then [ ] else forward)
  )
)
