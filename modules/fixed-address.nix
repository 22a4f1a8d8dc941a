# A host with a fixed address, as [network] of its host.toml says. The other interfaces ask by DHCP.
#
#   interface    such as "end0"
#   addresses    with the length of the prefix, such as "192.168.1.10/24"
#   gateways     at most one of IPv4 and of IPv6
#   nameservers  addresses
{
  interface,
  addresses,
  gateways ? [ ],
  nameservers,
}:
{ lib, ... }:

let
  isIPv6 = lib.hasInfix ":";

  split =
    text:
    let
      parts = lib.splitString "/" text;
    in
    {
      address = lib.head parts;
      prefixLength = lib.toInt (lib.last parts);
    };

  gateway =
    found:
    lib.mkIf (found != [ ]) {
      address = lib.head found;
      inherit interface;
    };
in
{
  networking = {
    interfaces.${interface} = {
      useDHCP = false;
      ipv4.addresses = map split (lib.filter (text: !isIPv6 text) addresses);
      ipv6.addresses = map split (lib.filter isIPv6 addresses);
    };
    defaultGateway = gateway (lib.filter (text: !isIPv6 text) gateways);
    defaultGateway6 = gateway (lib.filter isIPv6 gateways);
    inherit nameservers;
  };
}
