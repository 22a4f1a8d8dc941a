# serviceConfig of units that do nothing but talk to Docker's socket. That is all the power they need,
# and it is as good as root: what is left to take away is all else.
let
  confined = import ./confined.nix;
in
confined
// {
  CapabilityBoundingSet = "";
  IPAddressDeny = "any";
  LimitCORE = 0;
  PrivateNetwork = true;
  ProcSubset = "pid";
  RestrictAddressFamilies = "AF_UNIX";
  SystemCallFilter = confined.SystemCallFilter ++ [ "~@resources" ];
}
